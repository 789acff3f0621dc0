// What is wrong with a command line that CLI11 did not understand, in one line that names it.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace sbx {

inline std::string usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = &app;
  std::string line = app.get_name();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    line += " " + command->get_name();
  }
  std::string text = error.what();
  // "Run with …" ends a sentence, ours end without a period; a name in capitals stays as it is.
  if (text.size() > 1 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
    text[0] = static_cast<char>(text[0] | 0x20);
  // CLI11 says that a command is missing before it looks at what was there in its place.
  const bool without_command = command->get_require_subcommand_min() > 0;
  if (without_command && error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError)) {
    std::string commands;
    for (const CLI::App* one : command->get_subcommands([](const CLI::App*) { return true; }))
      commands += (commands.empty() ? "" : ", ") + one->get_name();
    const std::vector<std::string> rest = command->remaining();
    text = rest.empty() ? "a command is missing"
                        : "unknown " + std::string(rest.front().starts_with('-') ? "option" : "command") +
                              " '" + rest.front() + "'";
    text += "; the commands are " + commands;
  }
  return text + "; see '" + line + " --help'";
}

}  // namespace sbx
