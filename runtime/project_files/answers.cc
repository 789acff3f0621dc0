#include "project_files/answers.h"

#include "project_files/names.h"
#include "wire/wire.h"

namespace sbx::project_files {

std::string encode(const Written& written) {
  wire::Writer out;
  put(out, written.file);
  out.put(static_cast<std::uint8_t>(written.created));
  out.put(static_cast<std::uint8_t>(written.deduplicated));
  return std::move(out).take();
}

Result<Written> decode_written(const std::string& bytes) {
  wire::Reader in(bytes);
  Written written;
  written.file = get_facts(in);
  written.created = in.get_bool();
  written.deduplicated = in.get_bool();
  TRY(in.finish("what a worker wrote"));
  return written;
}

std::string encode(const std::vector<FileFacts>& files) {
  wire::Writer out;
  out.put(static_cast<std::uint32_t>(files.size()));
  for (const FileFacts& facts : files) put(out, facts);
  return std::move(out).take();
}

namespace {

std::vector<FileFacts> get_files(wire::Reader& in) {
  std::vector<FileFacts> files(in.get_count());
  for (FileFacts& facts : files) {
    facts = get_facts(in);
    if (in.failed()) break;
  }
  return files;
}

}  // namespace

Result<std::vector<FileFacts>> decode_files(const std::string& bytes) {
  wire::Reader in(bytes);
  std::vector<FileFacts> files = get_files(in);
  TRY(in.finish("the files that a worker looked at"));
  return files;
}

std::string encode(const Unpacked& unpacked) {
  wire::Writer out;
  out.put(unpacked.folder);
  out.put(encode(unpacked.files));
  out.put(unpacked.refused_count);
  out.put(static_cast<std::uint32_t>(unpacked.refused.size()));
  for (const RefusedMember& member : unpacked.refused) {
    out.put(member.name);
    out.put(member.why);
  }
  return std::move(out).take();
}

Result<Unpacked> decode_unpacked(const std::string& bytes) {
  wire::Reader in(bytes);
  Unpacked unpacked;
  unpacked.folder = in.get_string();
  const std::string files = in.get_string();
  unpacked.refused_count = in.get<std::uint64_t>();
  unpacked.refused.resize(in.get_count());
  for (RefusedMember& member : unpacked.refused) {
    member.name = in.get_string();
    member.why = in.get_string();
  }
  TRY(in.finish("what a worker unpacked"));
  unpacked.files = TRY(decode_files(files));
  return unpacked;
}

// A list's answer for each entry, since a FileAnswer has names only of one folder.
std::string encode(const Walked& walked) {
  wire::Writer out;
  out.put(static_cast<std::uint8_t>(walked.more));
  out.put(static_cast<std::uint32_t>(walked.entries.size()));
  for (const TreeEntry& entry : walked.entries) {
    FileAnswer one;
    one.stat = entry.stat;
    out.put(entry.path);
    out.put(entry.changed_ns);
    out.put(encode_file_answer(one));
  }
  return std::move(out).take();
}

Result<Walked> decode_walked(const std::string& bytes) {
  wire::Reader in(bytes);
  Walked walked;
  walked.more = in.get_bool();
  walked.entries.resize(in.get_count());
  for (TreeEntry& entry : walked.entries) {
    entry.path = in.get_string();
    entry.changed_ns = in.get<std::int64_t>();
    const FileAnswer one = TRY(decode_file_answer(in.get_text()));
    entry.stat = one.stat;
    if (!check_path(entry.path)) in.mark_failed();
    if (in.failed()) break;
  }
  TRY(in.finish("the files that a worker found"));
  return walked;
}

std::string encode(const FileStat& stat) {
  FileAnswer answer;
  answer.stat = stat;
  return encode_file_answer(answer);
}

Result<FileStat> decode_stat(const std::string& bytes) {
  FileAnswer answer = TRY(decode_file_answer(bytes));
  return std::move(answer.stat);
}

}  // namespace sbx::project_files
