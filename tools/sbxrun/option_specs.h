// The options of sbxrun: one table for parsing, --help and the man page.
#pragma once

#include <span>
#include <string>

namespace sbx::sbxrun {

struct OptionSpec {
  const char* group;
  const char* name;      // long name, without the dashes
  char short_name;       // 0: none
  const char* argument;  // nullptr: none; "[=MODE]" style: optional
  const char* help;
  const char* alias_of;  // nullptr, or the name of the option that this one is another name for
};

std::span<const OptionSpec> option_specs();

std::string help_text();

}  // namespace sbx::sbxrun
