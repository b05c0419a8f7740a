#!/usr/bin/env bash
# Renew docs/js/katex, the renderer of the formulas, from its npm package:
#
#     bash docs/js/vendor_katex.sh
#
# Needs npm. To move to another version, change the two lines below; `npm view katex@VERSION dist.integrity` prints the
# second. Taken over are the files that a browser loads (fonts only as woff2, which all of them read) and the licence.
set -euo pipefail
version=0.19.1
integrity=sha512-jG8uKntjSEcm2EpQOh0XturpPuuC9r3Sq5HLHdsFdWZT27E672SF19QEi+of0/YeOy15lDgRhKvr5614uRrEfA==

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "katex@$version" >/dev/null && tar -xzf "katex-$version.tgz")
found=sha512-$(openssl dgst -sha512 -binary "$work/katex-$version.tgz" | base64 -w 0)
[ "$found" = "$integrity" ] || { echo "katex-$version.tgz has $found, expected $integrity"; exit 1; }
rm -rf "$here/katex"
mkdir -p "$here/katex/fonts"
cp "$work/package/LICENSE" "$work"/package/dist/katex.min.{js,css} "$here/katex"
cp "$work"/package/dist/fonts/*.woff2 "$here/katex/fonts"
cd "$here/katex"
{ echo "# katex $version from npm, $integrity"; sha256sum LICENSE katex.min.* fonts/*; } >SHA256SUMS
