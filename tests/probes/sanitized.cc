// Built with AddressSanitizer: `sanitized good`, `sanitized beyond` reads behind a block of memory,
// `sanitized leak` forgets one. The search for leaks stops the process from outside, as a debugger does.
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  const char* what = argc > 1 ? argv[1] : "";
  static volatile int zero = 0;
  auto* block = new char[16];
  std::memset(block, 1, 16);
  int read = 0;
  if (std::strcmp(what, "beyond") == 0) read = block[16 + zero];
  if (std::strcmp(what, "leak") != 0) delete[] block;
  block = nullptr;
  std::puts("ran");
  (void)std::fflush(stdout);
  return read;
}
