// sbx-files: reads and writes files of a living sandbox for the API, in it and as its user, as any command of
// it runs (wire/files_protocol.h). Its keeper has it in memory, and gives it to init as a descriptor that the
// sandbox's user may execute and not read: so no other process of that user may look into it (ptrace(2),
// "Ptrace access mode checking").
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "files/operations.h"

namespace sbx::files {
namespace {

Done<FileAnswer> do_one(const FileRequest& request) {
  switch (request.operation) {
  case FileOperation::read: break;
  case FileOperation::write: return write(request);
  case FileOperation::list: return list(request);
  case FileOperation::stat: return stat(request);
  case FileOperation::remove: return remove(request);
  case FileOperation::directory: return make_directory(request);
  case FileOperation::move: return move(request);
  }
  return FileAnswer();
}

// Where relative paths begin; an absolute one needs it not to be there.
Done<void> go_to(const char* start, const FileRequest& request) {
  const bool relative =
      !request.path.starts_with('/') || (!request.to.empty() && !request.to.starts_with('/'));
  if (relative && chdir(start) != 0) return failed(FileStep::open, errno);
  return {};
}

int tell(const Failure& failure) {
  if (failure.step == FileStep::none) return 1;
  FileAnswer answer;
  answer.failed = failure.step;
  answer.error_number = failure.error_number > 0 ? failure.error_number : EIO;
  answer.stat = failure.stat;
  (void)send_answer(answer);  // else nobody is there
  return kFilesRefused;
}

int run(const char* start) {
  const Result<std::string> frame = read_frame(std::size_t{kMostFilePath} * 4);
  if (!frame) return 1;
  const Result<FileRequest> request = decode_file_request(*frame);
  if (!request) return tell({FileStep::input, EINVAL, {}});
  if (const Done<void> there = go_to(start, *request); !there) return tell(there.error());
  if (request->operation == FileOperation::read) {
    const Done<void> done = read(*request);
    return done ? 0 : tell(done.error());
  }
  const Done<FileAnswer> done = do_one(*request);
  if (!done) return tell(done.error());
  return send_answer(*done) ? 0 : 1;
}

}  // namespace
}  // namespace sbx::files

int main(int count, char** arguments) {
  (void)prctl(PR_SET_DUMPABLE, 0);
  (void)prctl(PR_SET_NAME, "sbx-files");
  // A file that is too long is an error, and so is a reader that is gone.
  for (const int number : {SIGPIPE, SIGXFSZ}) (void)signal(number, SIG_IGN);
  (void)umask(022);
  return count == 2 ? sbx::files::run(arguments[1]) : 2;
}
