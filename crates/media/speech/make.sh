#!/bin/sh
# Makes the built-in speech anew from phrases.tsv: one file a phrase and language, 8 kHz A-law
# without a header. Needs espeak-ng and sox (Debian: apt-get install espeak-ng sox); building the
# product needs neither, since what this makes is kept beside it.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

speak() { # language, voice, name, text
    espeak-ng -v "$2" -s 145 -w "$work/raw.wav" -- "$4"
    # Silence goes from both ends but for 40 ms; the loudest sample has -4 dBFS.
    sox -D "$work/raw.wav" -b 16 "$work/cut.wav" \
        gain -6 highpass 120 rate -v 8000 \
        silence 1 0.005 0.5% reverse silence 1 0.005 0.5% reverse \
        pad 0.02 0.04 norm -4
    sox -D "$work/cut.wav" -t al "$1/$3.al"
}

tab=$(printf '\t')
while IFS="$tab" read -r name english russian; do
    speak en en-gb "$name" "$english"
    speak ru ru "$name" "$russian"
done < phrases.tsv
