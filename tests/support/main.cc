// The main of every test program. Prints what was skipped and why; tools/test counts those lines.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <signal.h>

int main(int argc, char** argv) {
  // What nohup or a shell's background ignores is not what a test says about signals.
  for (int number = 1; number < NSIG; ++number) (void)signal(number, SIG_DFL);
  return doctest::Context(argc, argv).run();
}
