#include "outcome/failure_rules.h"

namespace sbx {

std::array<std::span<const FailureRule>, 11> failure_rules() {
  return {python_rules(), node_rules(),   java_rules(),   go_rules(),    ruby_rules(),  php_rules(),
          rust_rules(),   dotnet_rules(), native_rules(), shell_rules(), system_rules()};
}

namespace {

using enum FailureClass;

// In this order: a message may hold words of several ("connect: permission denied").
constexpr std::array kSystemWords = std::to_array<SystemWords>({
    {disk_full,
     R"~((?i)no space left on (?:the )?device|disk quota exceeded|\bENOSPC\b|\bEDQUOT\b|disk full)~"},
    {file_size_limit, R"~((?i)file too large|\bEFBIG\b)~"},
    {open_files_limit, R"~((?i)too many open files|\bE[MN]FILE\b)~"},
    {process_limit,
     R"~((?i)can't start new thread|unable to create (?:new )?native thread|can't create Thread|pthread_create|\bfork\b.*(?:resource temporarily unavailable|EAGAIN|cannot allocate)|(?:spawn|fork/exec)\b.*(?:resource temporarily unavailable|EAGAIN)|failed to spawn thread|BlockingIOError: \[Errno 11\] Resource temporarily|Errno::EAGAIN.*fork|Couldn't create thread)~"},
    {out_of_memory,
     R"~((?i)cannot allocate memory|\bENOMEM\b|\bMemoryError\b|bad_alloc|OutOfMemory|NoMemoryError)~"},
    {stack_overflow,
     R"~((?i)StackOverflow|RecursionError|SystemStackError|maximum call stack size exceeded)~"},
    {network,
     R"~((?i)connection refused|\bECONNREFUSED\b|(?:network|host) is unreachable|\bE(?:NET|HOST)UNREACH\b|name resolution|name or service not known|\bEAI_AGAIN\b|\bENOTFOUND\b|could not resolve host|no such host|UnknownHost|nodename nor servname|failed to lookup address|actively refused|no route to host|getaddrinfo|php_network_getaddresses|Network subsystem is)~"},
    {read_only, R"~((?i)read-only file ?system|\bEROFS\b)~"},
    {permission_denied,
     R"~((?i)permission ?denied|\bEACCES\b|operation not permitted|\bEPERM\b|access (?:to the path .* )?is denied|AccessDenied|UnauthorizedAccess)~"},
    {missing_file,
     R"~((?i)no such file or directory|\bENOENT\b|FileNotFound|NoSuchFile|could not find (?:a part of the path|file)|no such file|cannot find the (?:file|path))~"},
});

}  // namespace

std::span<const SystemWords> system_words() { return kSystemWords; }

std::string_view failure_class_name(FailureClass kind) {
  return kFailureClassNames[static_cast<std::size_t>(kind)];
}

std::string_view failure_source_name(FailureSource source) {
  return kFailureSourceNames[static_cast<std::size_t>(source)];
}

}  // namespace sbx
