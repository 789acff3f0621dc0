#include "wire/client_protocol.h"

#include "wire/wire.h"

namespace sbx {

std::string encode_finished_run(const FinishedRun& finished) {
  wire::Writer out;
  out.put(finished.message);
  out.put(finished.hint);
  out.put(finished.notice);
  out.put(finished.sweep);
  out.put(finished.json);
  out.put(finished.changes);
  return std::move(out).take();
}

Result<FinishedRun> decode_finished_run(std::string_view bytes) {
  wire::Reader in(bytes);
  FinishedRun finished;
  finished.message = in.get_string();
  finished.hint = in.get_string();
  finished.notice = in.get_string();
  finished.sweep = in.get_string();
  finished.json = in.get_string();
  finished.changes = in.get_string();
  TRY(in.finish("finished run"));
  return finished;
}

}  // namespace sbx
