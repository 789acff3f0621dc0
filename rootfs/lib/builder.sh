# Sourced. What the steps need of buildah, podman or docker. buildah and podman work without a daemon and keep
# everything below $SBX_WORK; docker keeps images and containers in its daemon, so they carry the build's tag.
# shellcheck shell=bash

find_builder() {
  local program
  for program in buildah podman docker; do
    if command -v "$program" >/dev/null; then
      echo "$program"
      return 0
    fi
  done
  return 1
}

# Storage below the work folder; needed before any other function below.
set_up_builder() {
  cat >"$SBX_WORK/storage.conf" <<END
[storage]
driver = "overlay"
runroot = "$SBX_WORK/run"
graphroot = "$SBX_WORK/storage"
END
  export CONTAINERS_STORAGE_CONF=$SBX_WORK/storage.conf
  export BUILDAH_ISOLATION=chroot
}

# import_base TARBALL IMAGE
import_base() {
  local container
  case $SBX_BUILDER in
    buildah)
      container=$(buildah from scratch)
      buildah add -q "$container" "$1" /
      buildah config --cmd '["bash"]' --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$container"
      buildah commit -q "$container" "$2"
      buildah rm "$container"
      ;;
    podman | docker)
      "$SBX_BUILDER" import --change 'CMD ["bash"]' \
        --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' "$1" "$2"
      ;;
  esac
}

pull_base() { "$SBX_BUILDER" pull "$1"; }

# The image of a local file or directory, as TRANSPORT:PATH (containers-transports(5)); prints its id.
pull_foreign() {
  local source=$1
  # Of a directory buildah makes a name, which many a path is not fit for.
  if [[ $source == oci:* ]]; then
    tar -C "${source#oci:}" -cf "$SBX_WORK/layout.tar" oci-layout index.json blobs
    source=oci-archive:$SBX_WORK/layout.tar
  fi
  "$SBX_BUILDER" pull --quiet "$source"
}

# has_triggers IMAGE: ONBUILD commands, which buildah runs as soon as a container is made of it. Fails where it cannot tell.
has_triggers() {
  local filter='[.. | objects | .OnBuild? // empty | .[]] | length'
  local count
  case $SBX_BUILDER in
    buildah) count=$(buildah inspect --type image "$1" | jq "$filter") ;;
    *) count=$("$SBX_BUILDER" image inspect "$1" | jq "$filter") ;;
  esac
  [[ $count =~ ^[0-9]+$ ]] || exit 1
  [ "$count" != 0 ]
}

# build_dockerfile FILE CONTEXT BASE IMAGE
# One layer, no build cache of the builder's: rootfs/build has its own. RUN uses the host's network (the mirror), and may
# mount the secret `ca`: the certificates that this machine trusts, which may be more than Debian's.
build_dockerfile() {
  local options=(--network=host --build-arg "BASE=$3" --file "$1" --tag "$4") certificates=/etc/ssl/certs/ca-certificates.crt
  [ ! -r "$certificates" ] || options+=(--secret "id=ca,src=$certificates")
  case $SBX_BUILDER in
    buildah) buildah bud --isolation=chroot --pull=false --layers=false "${options[@]}" "$2" ;;
    podman) podman build --isolation=chroot --pull=never --layers=false "${options[@]}" "$2" ;;
    docker) docker build --no-cache "${options[@]}" "$2" ;;
  esac
}

# open_rootfs IMAGE TAG: makes the image's files visible, writable, and prints the folder. Nothing of it is run.
open_rootfs() {
  local container
  case $SBX_BUILDER in
    buildah)
      container=$(buildah from --pull=false "$1")
      buildah mount "$container"
      ;;
    podman)
      container=$(podman create "$1" /bin/true)
      podman mount "$container"
      ;;
    docker)
      docker create --name "sbx-$2" "$1" /bin/true >/dev/null
      mkdir "$SBX_WORK/rootfs"
      docker export "sbx-$2" | tar -x --numeric-owner --preserve-permissions -C "$SBX_WORK/rootfs"
      echo "$SBX_WORK/rootfs"
      ;;
  esac
}

# image_config IMAGE: its configuration as JSON: architecture, os, env, workdir, user, entrypoint, cmd, labels.
image_config() {
  local filter
  # shellcheck disable=SC2016  # jq's variables
  filter='{architecture: $a, os: $o, env: (.Env // []), workdir: (.WorkingDir // "/"), user: (.User // ""),
    entrypoint: (.Entrypoint // []), cmd: (.Cmd // []),
    labels: ((.Labels // {}) | with_entries(select(.key | startswith("io.buildah.") | not))), created: $c}'
  case $SBX_BUILDER in
    buildah) buildah inspect --type image "$1" | jq ".OCIv1 | .architecture as \$a | .os as \$o | .created as \$c | .config | $filter" ;;
    podman | docker) "$SBX_BUILDER" image inspect "$1" | jq ".[0] | .Architecture as \$a | .Os as \$o | .Created as \$c | .Config | $filter" ;;
  esac
}

# forget_image BUILDER TAG: what a build leaves in a daemon. buildah and podman keep nothing outside the work folder.
forget_image() {
  [ "$1" = docker ] || return 0
  {
    docker rm --force "sbx-$2"
    docker rmi --force "localhost/sbx-image:$2" "localhost/sbx-base:$2"
  } >/dev/null 2>&1 || true
}
