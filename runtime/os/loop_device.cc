#include "os/loop_device.h"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "os/file.h"
#include "os/mount.h"

namespace sbx::os {
namespace {

constexpr unsigned kLoopMajor = 7;
constexpr const char* kBlockDevices = "/sys/block";

Result<LoopDevice> open_loop_device(unsigned number) {
  LoopDevice loop;
  loop.node = TRY(new_mount("tmpfs", {{"size", "4k"}, {"mode", "0700"}}, 0));
  const std::string name = "loop" + std::to_string(number);
  if (mknodat(loop.node.get(), name.c_str(), S_IFBLK | 0600, makedev(kLoopMajor, number)) != 0) {
    return fail(system_error("mknod", name, errno));
  }
  loop.device = TRY(open_at(loop.node.get(), name, O_RDWR));
  loop.source = "/proc/self/fd/" + std::to_string(loop.node.get()) + "/" + name;
  return loop;
}

// It is just being detached or removed. Any other error is one: a device that is overlooked would be made a
// second time, and its file system mounted twice, which destroys it.
bool is_going(int error_number) {
  return error_number == ENOENT || error_number == ENXIO || error_number == ENODEV;
}

// The path of the file behind it; empty when there is none. The kernel adds " (deleted)" and a line break.
Result<std::string> file_behind(const std::string& device) {
  auto path = read_file(AT_FDCWD, std::string(kBlockDevices) + "/" + device + "/loop/backing_file");
  if (!path && is_going(path.error().error_number)) return std::string();
  return path;
}

// Empty when it has another name, or no status any more.
Result<std::optional<LoopDevice>> open_if_named(unsigned number, const std::string& name) {
  Result<LoopDevice> loop = open_loop_device(number);
  if (!loop && is_going(loop.error().error_number)) return std::optional<LoopDevice>();
  if (!loop) return fail(std::move(loop).error());
  loop_info64 info{};
  if (ioctl(loop->device.get(), LOOP_GET_STATUS64, &info) != 0) {
    if (is_going(errno)) return std::optional<LoopDevice>();
    return fail(system_error("LOOP_GET_STATUS64", "loop" + std::to_string(number), errno));
  }
  if (name != reinterpret_cast<const char*>(info.lo_file_name)) return std::optional<LoopDevice>();
  return std::optional(std::move(*loop));
}

}  // namespace

Result<std::optional<LoopDevice>> find_loop_device(const std::string& file_name, const std::string& name) {
  const std::vector<std::string> devices = TRY(list_directory(AT_FDCWD, kBlockDevices));
  for (const std::string& device : devices) {
    // Others' devices are not opened: that would keep them attached.
    if (!device.starts_with("loop")) continue;
    const std::string file = TRY(file_behind(device));
    if (file.find("/" + file_name) == std::string::npos) continue;
    auto loop = TRY(open_if_named(static_cast<unsigned>(std::atoi(device.c_str() + 4)), name));
    if (loop) return loop;
  }
  return std::optional<LoopDevice>();
}

Result<LoopDevice> attach_loop_device(int file, const std::string& name) {
  loop_config config{};
  config.fd = static_cast<std::uint32_t>(file);
  // What is cached, the file system above caches; where the file cannot be read past the cache, it is read
  // through it.
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO;
  if (name.size() >= sizeof config.info.lo_file_name)
    return fail("'" + name + "' is too long for a loop device");
  std::memcpy(config.info.lo_file_name, name.data(), name.size());
  const UniqueFd control = TRY(open_at(AT_FDCWD, "/dev/loop-control", O_RDWR));
  while (true) {
    const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return fail(system_error("LOOP_CTL_GET_FREE", "/dev/loop-control", errno));
    LoopDevice loop = TRY(open_loop_device(static_cast<unsigned>(number)));
    if (ioctl(loop.device.get(), LOOP_CONFIGURE, &config) == 0) return loop;
    // EBUSY: somebody else was quicker.
    if (errno != EBUSY) return fail(system_error("LOOP_CONFIGURE", "loop" + std::to_string(number), errno));
  }
}

}  // namespace sbx::os
