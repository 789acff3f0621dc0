// The supervisor's errors name what was asked for as sbxrun's flags do; a request has keys.
#pragma once

#include <string>

namespace sbx::api {

// "--memory 1G: above …" becomes "limits.memory_bytes 1G: above …". Flags that no key stands for stay.
std::string in_api_words(const std::string& message);

// The same for the message of a result, which is JSON, where a run was refused or could not begin.
std::string result_in_api_words(std::string result);

}  // namespace sbx::api
