// Makes one system call of another ABI than the native one: foreign_abi i386|x32. Prints what came of it and
// exits 0 when the call came back.
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace {

constexpr long kI386Getpid = 20;
constexpr long kX32Getpid = 0x40000000L + 39;  // __X32_SYSCALL_BIT, syscall(2)

long i386_getpid() {
  long result = kI386Getpid;
  asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  const char* abi = argc == 2 ? argv[1] : "";
  long result = 0;
  if (std::strcmp(abi, "i386") == 0) {
    result = i386_getpid();
  } else if (std::strcmp(abi, "x32") == 0) {
    result = syscall(kX32Getpid);
  } else {
    (void)std::fprintf(stderr, "usage: foreign_abi i386|x32\n");
    return 2;
  }
  (void)std::printf("%s: %ld\n", abi, result);
  return 0;
}
