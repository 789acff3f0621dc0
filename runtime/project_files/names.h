// Names of files in a project: which new ones are taken, and how one that is taken already gets another.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace sbx::project_files {

inline constexpr std::size_t kMostName = 255;   // bytes, as file systems have it
inline constexpr std::size_t kMostPath = 4095;  // PATH_MAX, without the zero

// A path from the top of the workspace, of what may be there: programs give names as they like. Without
// slashes at its end; "" and "." are the top. Errors, EINVAL: absolute; an empty part, "." or ".."; a zero;
// too long.
Result<std::string> check_path(std::string_view path);

// The same of something new: each part as check_new_name has it, and it is not the top.
Result<std::string> check_new_path(std::string_view path);

// Kept as it is, byte by byte: upper and lower case, and both ways to write an accented letter (NFC, NFD),
// are different names. Errors, EINVAL, for what people cannot see or other systems cannot keep: no UTF-8;
// control characters; marks of the direction of text, invisible characters and ends of lines (U+061C, U+200B,
// U+200E, U+200F, U+2028 to U+202E, U+2060 to U+206F, U+FEFF, U+FFF9 to U+FFFB); a dot or space at its end, a
// space at its beginning; more than kMostName bytes; what we give our own files.
Result<void> check_new_name(std::string_view name);

// "report (2).pdf" of "report.pdf"; cut before the number where it would be too long.
std::string numbered_name(const std::string& name, unsigned number);

// "" for the top.
std::string folder_of(const std::string& path);
std::string name_of(const std::string& path);
std::string join(const std::string& folder, const std::string& name);

}  // namespace sbx::project_files
