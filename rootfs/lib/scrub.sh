# Sourced. Makes the files of an image the same wherever and whenever it was built, and fit for the sandbox.
# shellcheck shell=bash
#
# An image may hold symbolic links, and a path below the root that passes one ends on this machine. So: nothing is
# touched whose folder is not where it seems to be (really_inside), and files are replaced, not written through.

root='' # set by scrub

really_inside() { [ "$1" = . ] || { [ -d "$root/$1" ] && [ "$(realpath -m "$root/$1")" = "$root/$1" ]; }; }
empty_folder() { ! really_inside "$1" || find "$root/$1" -xdev -mindepth 1 -delete; }
drop() { # drop FOLDER PATTERN...: entries of FOLDER
  local folder=$1 pattern
  shift
  really_inside "$folder" || return 0
  for pattern; do find "$root/$folder" -xdev -mindepth 1 -maxdepth 1 -name "$pattern" -exec rm -rf {} +; done
}
replace() { # replace FOLDER FILE <CONTENT
  really_inside "$1" || return 0
  rm -f "$root/$1/$2"
  cat >"$root/$1/$2"
  chmod 644 "$root/$1/$2"
}
mount_point() { # mount_point FOLDER MODE OWNER
  really_inside "$(dirname "$1")" || return 1
  if [ -L "$root/$1" ] || [ ! -d "$root/$1" ]; then
    rm -f "$root/$1"
    mkdir "$root/$1"
  fi
  chmod "$2" "$root/$1"
  chown "$3" "$root/$1"
}

# scrub ROOT SUITE ("" when the base is not ours)
scrub() {
  root=$(realpath "$1")
  [ "$root" != / ] || return 1
  local suite=$2 folder

  # What the package tools, the builder and the commands of the Dockerfile leave behind.
  for folder in var/lib/apt/lists var/cache/apt dev proc sys run tmp var/tmp; do empty_folder "$folder"; done
  ! really_inside var/log || find "$root/var/log" -xdev -type f -delete
  drop var/cache/debconf '*-old'
  drop var/lib/dpkg '*-old'
  drop var/cache/ldconfig aux-cache
  drop var/lib/dbus machine-id
  drop etc '*-' '.pwd.lock'
  drop root .cache .npm .wget-hsts '.*_history'
  drop home/sandbox .cache .npm .wget-hsts '.*_history'

  # The build machine's names and addresses.
  replace etc machine-id </dev/null
  replace etc resolv.conf </dev/null
  replace etc hostname <<<sandbox
  replace etc hosts <<<'127.0.0.1 localhost'
  if [ -n "$suite" ]; then
    drop etc/apt/apt.conf.d 99mmdebstrap
    drop etc/apt/sources.list.d '*.list' '*.sources'
    public_sources "$suite" | replace etc/apt sources.list
  fi

  # Nothing in a sandbox can use set-id bits, file capabilities (tar leaves them out) or special files.
  find "$root" -xdev -perm /6000 ! -type l -exec chmod ug-s {} +
  find "$root" -xdev \( -type b -o -type c -o -type p -o -type s \) -delete

  # What the runtime mounts over; the workspace is the sandbox user's.
  chmod 755 "$root"
  mount_point dev 755 0:0
  mount_point run 755 0:0
  mount_point proc 555 0:0
  mount_point sys 555 0:0
  mount_point tmp 1777 0:0
  mount_point var/tmp 1777 0:0
  mount_point home 755 0:0
  mount_point home/sandbox 755 1000:1000
  mount_point workspace 755 1000:1000
}

# The newest time of any file that came in a package: not made by the bootstrap (STAMP), not since BUILD_STARTED.
# It depends on the packages alone, and it is no older than any source a .pyc was made from: a clamp to it keeps
# every .pyc of a package valid. (A fixed or older time makes all of them stale: imports take 4-8 times as long.)
newest_package_file() { # newest_package_file ROOT STAMP BUILD_STARTED
  find "$1" -xdev -type f -printf '%T@\n' |
    awk -F. -v stamp="$2" -v limit="$3" '$1 < limit && $1 != stamp && $1 > newest {newest = $1} END {print newest + 0}'
}

# Times of what the build made, where the clamp (newer than EPOCH only) does not reach, and dates inside files.
settle_times() { # settle_times ROOT STAMP EPOCH
  local shadow=$1/etc/shadow
  if [ "$2" -lt "$3" ]; then
    find "$1" -xdev -newermt "@$(($2 - 1))" ! -newermt "@$2" -exec touch --no-dereference --date="@$3" {} +
  fi
  # The third field is the day of the last password change: the day of the build.
  if really_inside etc && [ -f "$shadow" ] && [ ! -L "$shadow" ]; then
    rm -f "$shadow.new"
    awk -F: -v OFS=: -v day="$(($3 / 86400))" '{$3 = day; print}' "$shadow" >"$shadow.new"
    chown --reference="$shadow" "$shadow.new"
    chmod --reference="$shadow" "$shadow.new"
    mv "$shadow.new" "$shadow"
  fi
}

# Same files, same bytes: sorted, numeric owners, clamped times, no access and change times, no process id in headers.
pack() { # pack ROOT EPOCH TARBALL
  tar -C "$1" -c --one-file-system --sort=name --format=posix \
    --pax-option='exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime' \
    --numeric-owner --mtime="@$2" --clamp-mtime . |
    zstd -q -T0 -10 -o "$3"
  sync "$3"
}
