/* A bitstream's passport, as the host meets it: on the simulated card behind XRT. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/systole_isa.h"
#include "spawn.h"
#include "support/sha256.h"
#include "systole/systole.h"

static char folder[64];
static char file[128];
static char digest[SYSTOLE_SHA256_TEXT];

/* A copy of the simulated card's file, so that a passport can stand beside it. */
static void make(void) {
  static char bytes[1 << 20];
  uint8_t raw[SYSTOLE_SHA256_BYTES];
  folder_make(folder);
  setenv("XILINX_XRT", XRT_FOLDER, 1);
  FILE *from = fopen(XRT_FOLDER "/systole-" XRT_MODEL ".xclbin", "rb");
  cr_assert_not_null(from);
  const size_t size = fread(bytes, 1, sizeof bytes, from);
  fclose(from);
  cr_assert(size > 0 && size < sizeof bytes);
  snprintf(file, sizeof file, "%s/kernel.xclbin", folder);
  write_file(file, bytes, size);
  systole_sha256_of(raw, bytes, size);
  systole_sha256_text(digest, raw);
}
static void clean(void) { folder_remove(folder); }
TestSuite(xrt_passport, .init = make, .fini = clean, .timeout = 120);

/* The true passport of this kernel, but for `dim_factor` and what else is given. */
static void write_passport(int dim_factor, const char *sha, int rtl_version,
                           const char *selftest) {
  systole_device *device = NULL;
  systole_geometry g;
  char text[2048];
  cr_assert_eq(systole_device_open(&device, "rtl:" XRT_MODEL, NULL), SYSTOLE_OK, "%s",
               systole_last_error());
  cr_assert_eq(systole_device_geometry(device, &g), SYSTOLE_OK);
  systole_device_close(device);
  const int length = snprintf(
      text, sizeof text,
      "{\"passport\":1,\"xclbin\":\"kernel.xclbin\",\"sha256\":\"%s\",\"platform\":"
      "\"u50\","
      "\"shell\":\"xilinx_u50_gen3x16_xdma_5_202210_1\",\"tools\":{\"vivado\":\"2023.2\","
      "\"vitis\":\"2023.2\"},\"commit\":\"0123\",\"geometry\":{\"dim\":%d,\"axi_bytes\":%"
      "d,"
      "\"weight_ports\":%d,\"ub_rows\":%u,\"acc_rows\":%u,\"weight_tiles\":%u,"
      "\"features\":%u,\"flat_array\":%d},\"isa_version\":%d,\"rtl_version\":%d,"
      "\"clock_mhz\":300,\"selftest\":{\"sha256\":\"%s\"}}",
      sha, g.dim * dim_factor, g.axi_bytes, g.weight_ports, g.ub_rows, g.acc_rows,
      g.weight_tiles, g.features, g.flat_array, SYSTOLE_ISA_VERSION, rtl_version,
      selftest);
  cr_assert(length > 0 && length < (int)sizeof text);
  write_file(in(folder, "passport.json"), text, (size_t)length);
}

static void expect(int code, const char *words) {
  char device[160];
  snprintf(device, sizeof device, "xrt:%s", file);
  spoken said = spawn(NULL, "gemm", "-d", device, "-m", "9", "-n", "8", "-k", "7", NULL);
  cr_expect_eq(said.code, code, "%d: %s", said.code, said.error);
  cr_expect_not_null(strstr(said.error, words), "expected '%s': %s", words, said.error);
  spoken_free(&said);
}

Test(xrt_passport, decides_what_runs) {
  char other[SYSTOLE_SHA256_TEXT];
  expect(0, "");
  write_passport(1, digest, SYSTOLE_RTL_VERSION, digest);
  expect(0, "");
  write_passport(2, digest, SYSTOLE_RTL_VERSION, digest);
  expect(2, "in the passport");
  write_passport(1, digest, SYSTOLE_RTL_VERSION + 1, digest);
  expect(2, "RTL version");
  strcpy(other, digest);
  other[10] = other[10] == '0' ? '1' : '0';
  write_passport(1, other, SYSTOLE_RTL_VERSION, digest);
  expect(2, "is not the file of its passport");
  write_file(in(folder, "passport.json"), "{\"passport\":1", 13);
  expect(2, "is no passport");
}

/* The doctor multiplies on the card and compares with the passport's digest. */
Test(xrt_passport, has_a_self_test) {
  enum { Bytes = 19 * 23 * 4 };
  char right[SYSTOLE_SHA256_TEXT];
  uint8_t raw[SYSTOLE_SHA256_BYTES], product[Bytes];
  spoken said = spawn(NULL, "gemm", "-d", "cpu", "-m", "19", "-n", "23", "-k", "37",
                      "--seed", "1", "--out", in(folder, "c.npy"), NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  spoken_free(&said);
  FILE *npy = fopen(in(folder, "c.npy"), "rb");
  cr_assert_not_null(npy);
  cr_assert_eq(fseek(npy, -Bytes, SEEK_END), 0);
  cr_assert_eq(fread(product, 1, Bytes, npy), Bytes);
  fclose(npy);
  systole_sha256_of(raw, product, Bytes);
  systole_sha256_text(right, raw);
  for (int wrong = 0; wrong <= 1; wrong++) {
    const char *state = wrong ? "missing" : "good";
    int seen = 0;
    write_passport(1, digest, SYSTOLE_RTL_VERSION, wrong ? digest : right);
    said = spawn(NULL, "doctor", "--json", "--xclbin", file, NULL);
    cJSON *object = json_of(&said);
    const cJSON *entry = NULL;
    cJSON_ArrayForEach(entry, cJSON_GetObjectItem(object, "findings")) {
      if (strcmp(cJSON_GetObjectItem(entry, "name")->valuestring, "self-test") != 0) {
        continue;
      }
      seen = 1;
      cr_expect_str_eq(cJSON_GetObjectItem(entry, "state")->valuestring, state, "%s",
                       said.out);
    }
    cr_expect(seen, "%s", said.out);
    cJSON_Delete(object);
    spoken_free(&said);
  }
}
