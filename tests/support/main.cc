// The main of every test program. Prints what was skipped and why; tools/test counts those lines.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
