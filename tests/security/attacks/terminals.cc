// Typing for others, and taking their terminals.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

#include <csignal>

#include "attempts.h"

namespace sbx::attack {
namespace {

struct Terminal {
  int master = -1;
  int side = -1;  // where programs are
};

Terminal open_terminal() {
  Terminal terminal;
  const int unlocked = 0;
  terminal.master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  (void)ioctl(terminal.master, TIOCSPTLCK, &unlocked);
  terminal.side = ioctl(terminal.master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  return terminal;
}

// One that is also the terminal of this process.
Terminal own_terminal() {
  (void)setsid();
  const Terminal terminal = open_terminal();
  (void)ioctl(terminal.side, TIOCSCTTY, 0);
  return terminal;
}

template <unsigned long high>
long type_for_others() {
  const Terminal terminal = own_terminal();
  const std::string command = "x\n";
  for (const char letter : command) {
    if (syscall(SYS_ioctl, terminal.side, high | TIOCSTI, &letter) < 0) return -1;
  }
  char typed[8] = {};
  return only_if(read(terminal.side, typed, sizeof typed) == 2 && typed[0] == 'x');
}

long type_at_standard_input() {
  const char letter = '\n';
  return ioctl(0, TIOCSTI, &letter);
}

// TIOCLINUX selects and pastes, among other things; asking for the state of Shift is one without harm. Only
// virtual consoles have it.
template <unsigned long high>
long ask_console() {
  char subcode = 6;  // TIOCL_GETSHIFTSTATE
  const int console = open("/dev/tty0", O_RDWR | O_NOCTTY);
  return syscall(SYS_ioctl, console < 0 ? open_terminal().side : console, high | TIOCLINUX, &subcode);
}

template <unsigned long high>
long set_discipline() {
  const int discipline = 0;  // N_TTY, which is always there
  return syscall(SYS_ioctl, open_terminal().side, high | TIOCSETD, &discipline);
}

long load_discipline() {
  const int discipline = 21;  // N_GSM0710
  return ioctl(open_terminal().side, TIOCSETD, &discipline);
}

// The terminal of a child's session.
long steal_terminal() {
  const Terminal terminal = open_terminal();
  int ready[2];
  if (pipe(ready) != 0) return -1;
  const pid_t owner = start_child();
  if (owner == 0) {
    (void)setsid();
    (void)!write(ready[1], ioctl(terminal.side, TIOCSCTTY, 0) == 0 ? "y" : "n", 1);
    while (true) (void)pause();
  }
  char owned = 'n';
  (void)!read(ready[0], &owned, 1);
  (void)setsid();
  const long result = owned == 'y' ? ioctl(terminal.side, TIOCSCTTY, 1) : only_if(false);
  const int error = errno;
  (void)kill(owner, SIGKILL);
  (void)waitpid(owner, nullptr, 0);  // it holds the terminal, whose name the next attack must not find
  errno = error;
  return result;
}

long lock_settings() {
  termios settings{};
  settings.c_lflag = ECHO;
  return ioctl(open_terminal().side, TIOCSLCKTRMIOS, &settings);
}

// To no effect: a letter is not written.
long open_foreign_terminal() { return open(target("terminal").c_str(), O_WRONLY | O_NOCTTY); }

template <unsigned long request>
long on_own_terminal() {
  return ioctl(open_terminal().side, request, 0);
}

constexpr const char* kTyping = "filter: TIOCSTI of ioctl";
constexpr const char* kConsole = "/dev has six nodes";
// Where dev.tty.legacy_tiocsti is 0, and root lacks the right besides.
constexpr const char* kLegacy = "ok|EIO";
constexpr const char* kAnyConsole = "ok|ENOTTY";  // not every machine has one
// Machines may have no such console, or it is in use by nobody.
constexpr const char* kMaybeConsole = "ok|ENOENT|ENXIO|EIO|ENODEV";

constexpr Attack missing(std::string_view name, std::string_view aim, long (*attempt)()) {
  return {.name = name,
          .aim = aim,
          .control = kConsole,
          .inside = "ENOENT",
          .outside = kMaybeConsole,
          .attempt = attempt};
}

constexpr Attack kAttacks[] = {
    filtered("terminals.type", "type into a terminal as if its user did", kTyping, type_for_others<0>,
             kLegacy, kLegacy),
    filtered("terminals.type_high", "type into a terminal, with a bit set that nobody reads", kTyping,
             type_for_others<kHighBit>, kLegacy, kLegacy),
    filtered("terminals.type_high_all", "type into a terminal, with all bits set that nobody reads", kTyping,
             type_for_others<0xffffffff00000000>, kLegacy, kLegacy),
    filtered("terminals.type_stdin", "type into the caller's terminal",
             "filter: TIOCSTI of ioctl; no terminal of the caller is passed", type_at_standard_input,
             "not tried: it would type for whoever runs the tests", "ENOTTY"),
    filtered("terminals.paste", "use the TIOCLINUX of a console, which also pastes",
             "filter: TIOCLINUX of ioctl; no console", ask_console<0>, kAnyConsole, "ENOTTY"),
    filtered("terminals.paste_high", "use the TIOCLINUX of a console, with a bit set that nobody reads",
             "filter: TIOCLINUX of ioctl; no console", ask_console<kHighBit>, kAnyConsole, "ENOTTY"),
    filtered("terminals.discipline", "choose the line discipline of a terminal", "filter: TIOCSETD of ioctl",
             set_discipline<0>),
    filtered("terminals.discipline_high", "choose the line discipline with a bit set that nobody reads",
             "filter: TIOCSETD of ioctl", set_discipline<kHighBit>),
    // Here, and without the filter, it depends on the modules of the kernel.
    filtered("terminals.discipline_module", "have the module of a line discipline loaded",
             "filter: TIOCSETD of ioctl", load_discipline, "not tried: it would load one", "ok|EINVAL|EPERM"),
    refused("terminals.steal", "take the terminal of another session", "no capability", steal_terminal),
    refused("terminals.hang_up", "hang up a terminal", "no capability", on_own_terminal<TIOCVHANGUP>),
    refused("terminals.lock", "lock the settings of a terminal", "no capability", lock_settings),
    refused("terminals.console_output", "have what the machine's console says", "no capability",
            on_own_terminal<TIOCCONS>, "not tried: it would"),
    {.name = "terminals.other",
     .aim = "write to a terminal of the host",
     .control = "own instance of devpts",
     .inside = "ENOENT",
     .attempt = open_foreign_terminal},
    missing("terminals.console", "open the machine's console",
            [] { return long{open("/dev/console", O_RDONLY | O_NOCTTY | O_NONBLOCK)}; }),
    missing("terminals.virtual", "open the machine's virtual console",
            [] { return long{open("/dev/tty0", O_RDONLY | O_NOCTTY | O_NONBLOCK)}; }),
    missing("terminals.serial", "open the machine's serial line",
            [] { return long{open("/dev/ttyS0", O_RDONLY | O_NOCTTY | O_NONBLOCK)}; }),
    missing("terminals.screen", "read what is on the machine's screen",
            [] { return long{open("/dev/vcs", O_RDONLY | O_NOCTTY | O_NONBLOCK)}; }),
    // Those who run tests without a terminal have none to lose.
    {.name = "terminals.controlling",
     .aim = "open the caller's terminal by /dev/tty",
     .control = "session of its own",
     .inside = "ENXIO",
     .outside = "ok|ENXIO",
     .attempt = [] { return long{open("/dev/tty", O_RDWR | O_NOCTTY)}; }},
};

}  // namespace

std::span<const Attack> terminal_attacks() { return kAttacks; }

}  // namespace sbx::attack
