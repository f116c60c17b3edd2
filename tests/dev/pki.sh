#!/usr/bin/env bash
# Certificates, as an operator makes them.
# shellcheck source=tests/dev/check.sh
. "$(dirname "${BASH_SOURCE[0]}")/check.sh"
folder=$scratch/pki
pki() { "$root/cli/gleaner-pki" "$@"; }
subject() { openssl x509 -in "$1" -noout -subject; }

fleet() {
  pki ca "$folder" >/dev/null
  pki server "$folder" gleaner.example 192.0.2.1 2001:db8::1 >/dev/null
  pki device "$folder" cart-1 cart-2 >/dev/null
}

test_certificates_hold_for_their_purpose_only_and_keys_are_private() {
  fleet
  cd "$folder"
  openssl verify -CAfile ca.pem -purpose sslserver -verify_hostname gleaner.example server.pem >/dev/null
  openssl verify -CAfile ca.pem -purpose sslserver -verify_ip 192.0.2.1 server.pem >/dev/null
  openssl verify -CAfile ca.pem -purpose sslserver -verify_ip 2001:db8::1 server.pem >/dev/null
  openssl verify -CAfile ca.pem -purpose sslclient cart-1.pem >/dev/null
  if openssl verify -CAfile ca.pem -purpose sslserver cart-1.pem >/dev/null 2>&1; then
    fail "a device can pass for the server"
  fi
  if openssl verify -CAfile ca.pem -purpose sslclient server.pem >/dev/null 2>&1; then
    fail "the server can pass for a device"
  fi
  expect_in "$(subject cart-2.pem)" 'CN = cart-2'
  expect "modes of keys" 600 "$(stat -c %a ./*.key | sort -u)"
  expect "what is left besides" '' "$(find . -name '.new*')"
}

test_nothing_is_replaced_unasked_and_the_authority_never() {
  local serial
  fleet
  serial=$(openssl x509 -in "$folder/cart-1.pem" -noout -serial)
  run pki device "$folder" cart-1
  expect "exit status" 1 "$status"
  expect_in "$err" '--renew'
  run pki ca "$folder"
  expect "exit status" 1 "$status"
  expect_in "$err" 'an authority is never replaced'
  run pki ca "$folder" --renew
  expect "exit status" 1 "$status"
  expect_in "$err" 'shuts all its devices out'
  expect "serial" "$serial" "$(openssl x509 -in "$folder/cart-1.pem" -noout -serial)"
  pki device "$folder" cart-1 --renew
  [ "$serial" != "$(openssl x509 -in "$folder/cart-1.pem" -noout -serial)" ] || fail "it was not renewed"
  openssl verify -CAfile "$folder/ca.pem" "$folder/cart-1.pem" >/dev/null
}

test_a_name_that_the_server_would_refuse_is_refused_here() {
  local name
  pki ca "$folder"
  for name in Cart_1 -cart 'cart 1' ../cart server ca "$(printf '%064d' 1)" '/CN=other'; do
    run pki device "$folder" "$name"
    [ "$status" -ne 0 ] || fail "'$name' became a device"
    case $name in Cart_1 | 'cart 1') expect_in "$err" 'not starting with -): write "cart-1"' ;; esac
  done
  for name in 'a,DNS:b' 'a b' '' $'a\nb'; do
    run pki server "$folder" "$name"
    expect "exit status of server '$name'" 1 "$status"
    expect_in "$err" 'no host name and no address'
  done
  expect "files" 'ca.key ca.pem' "$(cd "$folder" && echo *)"
}

test_mistakes_are_answered_with_what_there_is() {
  run pki
  expect "exit status" 2 "$status"
  expect_in "$err" 'gleaner-pki device FOLDER'
  run pki device "$folder" cart-1
  expect "exit status" 1 "$status"
  expect_in "$err" "gleaner-pki ca $folder"
  run pki ca "$folder" --days many
  expect "exit status" 2 "$status"
  run pki bogus "$folder"
  expect "exit status" 2 "$status"
}

"$1"
