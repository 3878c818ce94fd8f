#!/bin/sh
# Installs what some tests need and npm does not carry, where it is missing: the real Jinja2 (the oracle of templates), Redis, a browser.
# It does nothing where there is no apt-get or no right to use it; the tests that need a program then say so themselves.
set -eu

missing=
python3 -c 'import jinja2' 2>/dev/null || missing="$missing python3-jinja2"
command -v redis-server >/dev/null || missing="$missing redis-server"
command -v chromium >/dev/null || missing="$missing chromium"

if [ -z "$missing" ]; then echo 'nothing is missing'; exit 0; fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then echo "missing, and not ours to install:$missing"; exit 0; fi

echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
# Packages start no service here: a test starts its own and ends it. The rule is ours only while this runs.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
