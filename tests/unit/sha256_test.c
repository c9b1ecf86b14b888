/* SHA-256 against the examples of FIPS 180-4 (NIST, "SHA-256 examples") and any cut. */
#include "support/sha256.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "support/random.h"

static void expect(const void *data, size_t bytes, const char *digest) {
  uint8_t raw[SYSTOLE_SHA256_BYTES];
  char text[SYSTOLE_SHA256_TEXT];
  systole_sha256_of(raw, data, bytes);
  systole_sha256_text(text, raw);
  cr_assert_str_eq(text, digest);
}

Test(sha256, gives_the_digests_of_the_standard) {
  static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  expect("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  expect("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(two, sizeof two - 1,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  char *million = malloc(1000000);
  cr_assert_not_null(million);
  memset(million, 'a', 1000000);
  expect(million, 1000000,
         "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  free(million);
}

Test(sha256, does_not_depend_on_how_the_bytes_arrive) {
  enum { Bytes = 700 };
  int8_t data[Bytes];
  systole_random random;
  systole_random_seed(&random, 7);
  systole_random_int8(&random, data, Bytes);
  for (size_t bytes = 0; bytes < Bytes; bytes++) {
    uint8_t whole[SYSTOLE_SHA256_BYTES], parts[SYSTOLE_SHA256_BYTES];
    systole_sha256 hash;
    systole_sha256_of(whole, data, bytes);
    systole_sha256_begin(&hash);
    for (size_t at = 0; at < bytes;) {
      size_t take = (size_t)systole_random_below(&random, 130);
      if (take > bytes - at) take = bytes - at;
      systole_sha256_add(&hash, data + at, take);
      at += take;
    }
    systole_sha256_end(&hash, parts);
    cr_assert_arr_eq(whole, parts, sizeof whole, "%zu bytes", bytes);
  }
}
