#!/bin/sh
# Makes what the processes of a site need to know each other: a certificate authority, a certificate for each process, and the root
# of the keys by which services know the gateway. Needs openssl only.
#
#   ./make-secrets.sh NAME...    the DNS names by which callers reach the gateway
#
# What is there already stays. To renew a certificate, delete secrets/NAME.pem and run this again: running processes take it.
set -eu
cd "$(dirname "$0")"
if [ $# -eq 0 ]; then
    echo "usage: $0 NAME...   (DNS names by which callers reach the gateway)" >&2
    exit 64
fi
umask 077
mkdir -p secrets state
request=secrets/request.pem extensions=secrets/extensions
trap 'rm -f "$request" "$extensions"' EXIT

# Quiet unless it fails.
run() {
    if ! said=$("$@" 2>&1); then
        echo "$said" >&2
        exit 1
    fi
}

make_key() {
    [ -e "secrets/$1.key" ] || run openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "secrets/$1.key"
}

# certify FILE SUBJECT-ALTERNATIVE-NAMES
certify() {
    [ ! -e "secrets/$1.pem" ] || return 0
    make_key "$1"
    run openssl req -new -key "secrets/$1.key" -subj "/CN=ispbridge $1" -out "$request"
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\n' "$2" >"$extensions"
    run openssl x509 -req -in "$request" -CA secrets/ca.pem -CAkey secrets/ca.key -set_serial "0x$(openssl rand -hex 16)" \
        -days 365 -extfile "$extensions" -out "secrets/$1.pem"
    echo "made secrets/$1.pem for $2"
}

if [ ! -e secrets/ca.pem ]; then
    make_key ca
    run openssl req -x509 -new -key secrets/ca.key -subj "/CN=ispbridge site" -days 3650 \
        -addext "keyUsage=critical,keyCertSign,cRLSign" -out secrets/ca.pem
    echo "made secrets/ca.pem"
fi

names=
for name in "$@"; do
    names="${names:+$names,}DNS:$name"
done
certify gateway "$names"
for provider in aex azotel freeside; do
    certify "$provider" "DNS:$provider.ispbridge.internal"
done
if [ ! -e secrets/root ]; then
    openssl rand -base64 32 >secrets/root
    echo "made secrets/root"
fi
