# Sourced. The base image debian:SUITE-slim, made with mmdebstrap from the machine's own Debian sources.
# shellcheck shell=bash

mirror_main='' mirror_security='' apt_options=()

# Where this machine gets Debian from, and how (proxy): asked of apt, which merges all its files.
find_mirror() {
  local uri label value key
  # shellcheck disable=SC2016  # apt's variables
  while IFS='|' read -r uri label; do
    case $label in
      Debian) mirror_main=${mirror_main:-${uri%/}} ;;
      Debian-Security) mirror_security=${mirror_security:-${uri%/}} ;;
    esac
  done < <(apt-get indextargets --format '$(REPO_URI)|$(LABEL)' 'Created-By: Packages' 'Origin: Debian')
  mirror_main=${mirror_main:-http://deb.debian.org/debian}
  mirror_security=${mirror_security:-http://deb.debian.org/debian-security}

  for key in Acquire::http::Proxy Acquire::https::Proxy Acquire::Check-Valid-Until Acquire::Check-Date; do
    value=
    eval "$(apt-config shell value "$key")"
    [ -z "$value" ] || apt_options+=(--aptopt="$key \"$value\"")
  done
}

# mirror_answers SUITE
mirror_answers() {
  /usr/lib/apt/apt-helper -o APT::Sandbox::User=root -o Acquire::Retries=1 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15 \
    download-file "$mirror_main/dists/$1/InRelease" "$SBX_WORK/InRelease"
}

# make_base SUITE TARBALL STAMP
# Every file that the bootstrap itself makes gets the modification time STAMP; files of packages keep theirs.
make_base() {
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg options=()
  [ ! -e "$keyring" ] || options+=(--keyring="$keyring")
  SOURCE_DATE_EPOCH=$3 TMPDIR=$SBX_WORK/tmp mmdebstrap --mode=root --variant=minbase --include=ca-certificates \
    --aptopt='Acquire::Languages "none"' "${apt_options[@]}" "${options[@]}" \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    "$1" "$2" \
    "deb $mirror_main $1 main" "deb $mirror_main $1-updates main" "deb $mirror_security $1-security main"
}

# The sources an image is left with: Debian's own, whatever mirror it was built from.
public_sources() { # public_sources SUITE
  echo "deb http://deb.debian.org/debian $1 main"
  echo "deb http://deb.debian.org/debian $1-updates main"
  echo "deb http://deb.debian.org/debian-security $1-security main"
}
