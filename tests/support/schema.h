// Lines of JSON against a schema of docs/.
#pragma once

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>

#include "support/sandbox.h"

namespace sbx::test {

// In a checkout the programs are in build/bin.
inline std::string schema_path(const std::string& name) {
  return program_directory() + "/../../docs/" + name + ".schema.json";
}

inline bool can_validate(const std::string& name) {
  return access(schema_path(name).c_str(), R_OK) == 0 &&
         run_program({"/usr/bin/python3", "-c", "import jsonschema"}).exit_status == 0;
}

// What is wrong with the lines (one JSON object each), as text; empty: nothing.
inline std::string schema_errors(const std::string& name, const std::string& lines) {
  ProgramOptions program;
  program.input = lines;
  const ProgramResult result = run_program({"/usr/bin/python3", "-c",
                                            "import json, sys, jsonschema\n"
                                            "schema = json.load(open(sys.argv[1]))\n"
                                            "jsonschema.Draft202012Validator.check_schema(schema)\n"
                                            "validator = jsonschema.Draft202012Validator(schema)\n"
                                            "for line in sys.stdin:\n"
                                            "  for error in validator.iter_errors(json.loads(line)):\n"
                                            "    print(error.json_path, error.message[:300], line[:200])\n"
                                            "print('checked')",
                                            schema_path(name)},
                                           program);
  CHECK_MESSAGE(result.exit_status == 0, result.err);
  return result.out == "checked\n" ? "" : result.out;
}

}  // namespace sbx::test
