# What app/run and tests/run have in common: Debian packages, the build folder, a virtual display.
# Sourced by both, with `root` set to the folder of the project.

build_packages=(
  build-essential cmake ninja-build pkgconf ccache
  qt6-base-dev libqt6opengl6-dev libgl-dev libimgui-dev libfreetype-dev
  libeigen3-dev nlohmann-json3-dev libcli11-dev libfmt-dev libpcre2-dev libutf8proc-dev
  libyaml-cpp-dev libfribidi-dev libcsv-dev
)
display_packages=(
  xvfb xauth libgl1-mesa-dri libegl1 libgl1 fonts-dejavu-core fonts-dejavu-extra
)
test_packages=(libgtest-dev libgmock-dev libbenchmark-dev)
build="$root/build/release"

# Installs those of the given packages that are missing. Without any missing, nothing is asked of
# the network.
install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    echo "This is no Debian or Ubuntu system, so nothing is installed here. Needed are: $*" >&2
    return 0
  fi
  # Names that installed packages have or provide.
  local installed
  installed="$(dpkg-query -W -f='${db:Status-Status} ${Package}, ${Provides}\n' |
    sed -n 's/^installed //; T; s/([^)]*)//g; s/[, ][, ]*/\n/g; p' | sort -u)"
  local package missing=()
  for package in "$@"; do
    grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
  done
  if ((${#missing[@]} == 0)); then
    return 0
  fi

  local install=(apt-get install -y --no-install-recommends "${missing[@]}")
  local as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null || ! { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
      echo "Some packages are missing, and installing them needs an administrator. Please run:" >&2
      echo "  sudo ${install[*]}" >&2
      return 1
    fi
    as_root=(sudo)
  fi
  echo "Installing ${#missing[@]} packages: ${missing[*]}" >&2
  "${as_root[@]}" apt-get update -q >&2 || true # one unreachable source need not matter
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive "${install[@]}" >&2; then
    echo "The packages could not be installed. Check the network, then run:" >&2
    echo "  sudo apt-get update && sudo ${install[*]}" >&2
    return 1
  fi
}

# Removes a build folder that was made where the project no longer is: CMake refuses to use it.
drop_moved_build() {
  local home
  home="$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$build/CMakeCache.txt" 2>/dev/null || true)"
  if [[ -n "$home" && "$home" != "$root" ]]; then
    echo "The project has moved since it was built, so it is built anew." >&2
    rm -rf -- "$build"
  fi
}

# Makes the build folder ready; arguments go to cmake. XLAB_WERROR=ON refuses warnings. A new folder
# compiles several files at a time as one, which halves the time of the first build; who changes the
# code turns that off (-DCMAKE_UNITY_BUILD=OFF), and one changed file is compiled alone.
configure() {
  local together=()
  [[ -f "$build/CMakeCache.txt" ]] || together=(-DCMAKE_UNITY_BUILD=ON)
  (cd "$root" && cmake --preset release -DXLAB_WERROR="${XLAB_WERROR:-OFF}" "${together[@]}" "$@" >&2)
}

# Runs a build when no other one works in the folder: app/run may still build the command line beside
# an open window.
one_build() {
  if ! flock --nonblock "$build/run.lock" true; then
    echo "Another build works in $build; this one waits for it." >&2
  fi
  flock "$build/run.lock" "$@"
}

# What cmake is told about graphics cards so that the program is ready soon: kernels for the cards
# of this machine, or none where there is no driver. XLAB_CUDA=ON|OFF|AUTO overrules it.
card_options=()
choose_cards() {
  local cards
  if [[ -n "${XLAB_CUDA:-}" ]]; then
    card_options=(-DXLAB_CUDA="$XLAB_CUDA")
  elif cards="$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null)"; then
    # "8.9" and "12.0" become 89 and 120; cards that are not named so get what all get.
    cards="$(sed -n 's/^ *\([0-9]\+\)\.\([0-9]\) *$/\1\2/p' <<<"$cards" | sort -nu | paste -sd ';')"
    card_options=(-DXLAB_CUDA_ARCHITECTURES="$cards")
  elif [[ ! -e /proc/driver/nvidia/version ]]; then
    card_options=(-DXLAB_CUDA=OFF)
    echo "There is no NVIDIA driver here, so the program is built without kernels for graphics cards; to include them: XLAB_CUDA=ON app/run" >&2
  fi
}

# Runs a program on a virtual display, with settings and caches of its own, so that it neither sees
# nor changes those of the user. Of a second display, for windows that must not get into each other's
# way, XLAB_SECOND_DISPLAY and XLAB_SECOND_AUTHORITY tell.
on_virtual_display() {
  private="$(mktemp -d)"
  trap 'rm -rf -- "$private"' EXIT
  mkdir -m 0700 "$private/runtime"
  env -u WAYLAND_DISPLAY QT_QPA_PLATFORM=xcb XDG_RUNTIME_DIR="$private/runtime" \
    XDG_CONFIG_HOME="$private/config" XDG_DATA_HOME="$private/data" \
    XDG_STATE_HOME="$private/state" XDG_CACHE_HOME="$private/cache" \
    xvfb-run -a -s "-screen 0 1920x1200x24" sh -c '
      export XLAB_SECOND_DISPLAY="$DISPLAY" XLAB_SECOND_AUTHORITY="$XAUTHORITY"
      exec xvfb-run -a -s "-screen 0 1920x1200x24" "$@"' sh "$@"
}
