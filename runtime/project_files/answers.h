// What a worker answers, on its way to who started it: decoded strictly, since the worker has read what is
// hostile.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "project_files/archive.h"
#include "project_files/operations.h"

namespace sbx::project_files {

std::string encode(const Written& written);
Result<Written> decode_written(const std::string& bytes);

std::string encode(const std::vector<FileFacts>& files);
Result<std::vector<FileFacts>> decode_files(const std::string& bytes);

std::string encode(const Unpacked& unpacked);
Result<Unpacked> decode_unpacked(const std::string& bytes);

std::string encode(const Walked& walked);
Result<Walked> decode_walked(const std::string& bytes);

std::string encode(const FileStat& stat);
Result<FileStat> decode_stat(const std::string& bytes);

}  // namespace sbx::project_files
