// How tools report what the system refused them: "cp: cannot create regular file '/x': Read-only file
// system". Only where the sentence ends the line, as strerror(3) puts it.
#include "outcome/failure_rules.h"

namespace sbx {
namespace {

using enum FailureClass;

#define SBX_TOOL R"~((?P<said>[\w./+\-]+(?:\[\d+\])?: (?P<message>(?:.*[: ])?(?:)~"
constexpr std::array kRules = std::to_array<FailureRule>({
    {.kind = disk_full,
     .needle = "o space left on device",
     .pattern = SBX_TOOL R"~([Nn]o space left on device)))\.?(?:\n|$))~"},
    {.kind = disk_full,
     .needle = "isk quota exceeded",
     .pattern = SBX_TOOL R"~([Dd]isk quota exceeded)))\.?(?:\n|$))~"},
    {.kind = file_size_limit,
     .needle = "File too large",
     .pattern = SBX_TOOL R"~(File too large)))(?:\n|$))~"},
    {.kind = file_size_limit,
     .needle = "File size limit exceeded",
     .pattern = R"~(.*File size limit exceeded)~"},
    {.kind = open_files_limit,
     .needle = "oo many open files",
     .pattern = SBX_TOOL R"~([Tt]oo many open files(?: in system)?)))(?:\n|$))~"},
    {.kind = out_of_memory,
     .needle = "annot allocate memory",
     .pattern = SBX_TOOL R"~([Cc]annot allocate memory)))(?:\n|$))~"},
    {.kind = out_of_memory,
     .needle = "emory exhausted",
     .pattern = SBX_TOOL R"~((?:virtual )?[Mm]emory exhausted)))(?:\n|$))~"},
    {.kind = read_only,
     .needle = "ead-only file system",
     .pattern = SBX_TOOL R"~([Rr]ead-only file system)))(?:\n|$))~"},
    {.kind = permission_denied,
     .needle = "ermission denied",
     .pattern = SBX_TOOL R"~([Pp]ermission denied)))\.?(?:\n|$))~"},
    {.kind = permission_denied,
     .needle = "peration not permitted",
     .pattern = SBX_TOOL R"~([Oo]peration not permitted)))\.?(?:\n|$))~"},
    {.kind = network,
     .needle = "Connection refused",
     .pattern = SBX_TOOL R"~(Connection refused)))\.?(?:\n|$))~"},
    {.kind = network,
     .needle = "etwork is unreachable",
     .pattern = SBX_TOOL R"~([Nn]etwork is unreachable)))\.?(?:\n|$))~"},
    {.kind = network,
     .needle = "ould not resolve host",
     .pattern = R"~((?P<said>.*[Cc]ould not resolve host(?:name)?:? ?(?P<subject>[\w.\-]*).*))~"},
    {.kind = network,
     .needle = "unable to resolve host",
     .pattern = R"~((?P<said>.*unable to resolve host address.*))~"},
    {.kind = network,
     .needle = "ame resolution",
     .pattern = R"~((?P<said>.*[Tt]emporary failure in name resolution.*))~"},
    {.kind = network,
     .needle = "Failed to connect to",
     .pattern = R"~((?P<said>.*Failed to connect to (?P<subject>\S+) port \d+.*))~"},
    {.kind = network,
     .needle = "Couldn't connect to server",
     .pattern = R"~((?P<said>.*Couldn't connect to server.*))~"},
    {.kind = missing_file,
     .needle = "o such file or directory",
     .pattern = SBX_TOOL R"~([Nn]o such file or directory)))(?:\n|$))~"},
    // Written by bash of what it starts with ulimit, or by a program itself.
    {.kind = process_limit,
     .needle = "Resource temporarily unavailable",
     .pattern = R"~((?P<said>.*(?:fork|clone|spawn|thread).*: Resource temporarily unavailable))~"},
    // Any other last line that has such words.
    {.kind = unknown,
     .needle = ": ",
     .pattern = R"~((?P<said>(?P<message>.*))\s*\z)~",
     .read_message = true,
     .weak = true,
     .only_error = true},
});
#undef SBX_TOOL

}  // namespace

std::span<const FailureRule> system_rules() { return kRules; }

}  // namespace sbx
