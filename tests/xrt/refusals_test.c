/* `systole gemm --device xrt:...` where something is missing or wrong: a sentence and the
 * contract's exit code, never a signal; and the same product on rtl and on xrt. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spawn.h"

#define MODEL XRT_MODEL
#define GOOD XRT_FOLDER "/systole-" MODEL ".xclbin"

static char folder[64];
static void make(void) {
  folder_make(folder);
  setenv("XILINX_XRT", XRT_FOLDER, 1);
}
static void clean(void) { folder_remove(folder); }
TestSuite(refusals, .init = make, .fini = clean, .timeout = 120);

static void expect(const char *file, int code, const char *words) {
  char device[1024];
  (void)snprintf(device, sizeof device, "xrt:%s", file);
  spoken said =
      spawn(NULL, "gemm", "-d", device, "-m", "20", "-n", "20", "-k", "20", NULL);
  cr_expect_eq(said.code, code, "%s: %d: %s", device, said.code, said.error);
  cr_expect_str_eq(said.out, "", "%s", device);
  cr_expect_not_null(strstr(said.error, words), "expected '%s': %s", words, said.error);
  cr_expect_null(strstr(said.error, "terminate called"), "%s", said.error);
  spoken_free(&said);
}

/* A folder for XILINX_XRT with `name` as its driver, a link to `target`. */
static void use_driver(const char *name, const char *target) {
  char path[256];
  (void)snprintf(path, sizeof path, "%s/lib", folder);
  (void)mkdir(path, 0777);
  (void)snprintf(path, sizeof path, "%s/lib/%s", folder, name);
  cr_assert_eq(symlink(target, path), 0);
  setenv("XILINX_XRT", folder, 1);
}

Test(refusals, xrt_that_is_not_there) {
  unsetenv("XILINX_XRT");
  expect(GOOD, 3, "XILINX_XRT is not set");
  setenv("XILINX_XRT", "", 1);
  expect(GOOD, 3, "XILINX_XRT is not set");
  setenv("XILINX_XRT", "/nowhere/at/all", 1);
  expect(GOOD, 3, "no folder");
  setenv("XILINX_XRT", GOOD, 1);
  expect(GOOD, 3, "no folder");
  setenv("XILINX_XRT", folder, 1);
  expect(GOOD, 3, "has no lib/libxrt_core.so.2");
  setenv("XILINX_XRT", XRT_FOLDER, 1);
  setenv("XCL_EMULATION_MODE", "fast_emu", 1);
  expect(GOOD, 3, "XCL_EMULATION_MODE");
}

Test(refusals, drivers_that_are_none) {
  write_file(in(folder, "text"), "no library", 10);
  use_driver("libxrt_core.so.2", "../text");
  expect(GOOD, 3, "signal 6");
}

Test(refusals, a_library_that_is_no_driver) {
  use_driver("libxrt_core.so.2", "/lib/x86_64-linux-gnu/libm.so.6");
  expect(GOOD, 3, "ends its process");
}

Test(refusals, a_driver_of_another_version) {
  use_driver("libxrt_core.so.2.99.0", XRT_FOLDER "/lib/libxrt_core.so.2");
  char path[256];
  (void)snprintf(path, sizeof path, "%s/lib/libxrt_core.so.2", folder);
  /* What tells the version is the name of the file itself, not of a link. */
  (void)unlink(in(folder, "lib/libxrt_core.so.2.99.0"));
  write_file(in(folder, "lib/libxrt_core.so.2.99.0"), "x", 1);
  cr_assert_eq(symlink("libxrt_core.so.2.99.0", path), 0);
  expect(GOOD, 3, "is of XRT 2.99.0");
}

/* Debian's own driver where no card is plugged in. */
Test(refusals, no_card) {
  static const char driver[] = "/usr/lib/x86_64-linux-gnu/libxrt_core.so.2";
  if (access(driver, R_OK) != 0) cr_skip_test("no libxrt1");
  if (access("/sys/bus/pci/drivers/xocl", F_OK) == 0) cr_skip_test("a card may be here");
  use_driver("libxrt_core.so.2", driver);
  expect(GOOD, 3, "no card");
}

Test(refusals, cards_and_units_that_are_not_there) {
  expect(GOOD ":card=9", 3, "card 9");
  expect(GOOD ":card=0000:3b:00.1", 3, "card 0000:3b:00.1");
  expect(GOOD ":cu=systole_9", 3, "it has systole_1, systole_2");
  expect(GOOD ":card=red", 2, "PCIe address");
  expect("", 2, "the file is missing");
}

static char *load(const char *path, size_t *bytes) {
  FILE *file = fopen(path, "rb");
  char *data = malloc(1 << 20);
  cr_assert(file && data);
  *bytes = fread(data, 1, 1 << 20, file);
  fclose(file);
  return data;
}

static void replace(char *data, size_t bytes, const char *from, const char *to) {
  for (size_t i = 0; i + strlen(from) <= bytes; i++) {
    if (memcmp(data + i, from, strlen(from)) == 0) memcpy(data + i, to, strlen(to));
  }
}

Test(refusals, files_that_are_wrong) {
  size_t bytes;
  char *data = load(GOOD, &bytes), *copy = malloc(bytes);
  const char *path = in(folder, "a.xclbin");
  expect("/nowhere/a.xclbin", 3, "No such file");
  expect(folder, 2, "not a regular file");
  write_file(path, "", 0);
  expect(path, 2, "no .xclbin file");
  write_file(path, data, 300);
  expect(path, 2, "truncated");
  write_file(path, data, bytes - 1);
  expect(path, 2, "truncated");
  memcpy(copy, data, bytes);
  replace(copy, bytes, "systole:systole_", "vectadd:vectad_");
  write_file(path, copy, bytes);
  expect(path, 2, "another kernel");
  memcpy(copy, data, bytes);
  replace(copy, bytes, "offset=\"0x18\"", "offset=\"0x1C\"");
  write_file(path, copy, bytes);
  expect(path, 2, "register 0x1c");
  /* The size that the file promises, against the models that there are. */
  memcpy(copy, data, bytes);
  replace(copy, bytes, "dim " MODEL, MODEL[1] ? "dim 02" : "dim 1");
  write_file(path, copy, bytes);
  spoken said = spawn(NULL, "gemm", "-d", "xrt:", "-m", "1", "-n", "1", "-k", "1", NULL);
  spoken_free(&said);
  expect(path, MODEL[1] ? 3 : 2, MODEL[1] ? "libsystole_rtl_2.so" : "build it again");
  free(copy);
  free(data);
}

Test(refusals, options_that_a_card_does_not_take) {
  spoken said = spawn(NULL, "gemm", "-d", "xrt:" GOOD, "-m", "4", "-n", "4", "-k", "4",
                      "--memory", "ddr4", NULL);
  cr_expect_eq(said.code, 2, "%s", said.error);
  cr_expect_not_null(strstr(said.error, "ideal"), "%s", said.error);
  spoken_free(&said);
  said = spawn(NULL, "gemm", "-d", "xrt:" GOOD, "-m", "4", "-n", "4", "-k", "4",
               "--memory", "ideal", NULL);
  cr_expect_eq(said.code, 0, "%s", said.error);
  spoken_free(&said);
}

Test(refusals, devices_lists_what_is_there) {
  spoken said = spawn(NULL, "devices", NULL);
  cr_expect_eq(said.code, 0);
  cr_expect_not_null(strstr(said.out, "xrt:" GOOD), "%s", said.out);
  spoken_free(&said);
  unsetenv("XILINX_XRT");
  said = spawn(NULL, "devices", NULL);
  cr_expect_eq(said.code, 0);
  cr_expect_not_null(strstr(said.out, "xrt:FILE.xclbin"), "%s", said.out);
  cr_expect_not_null(strstr(said.out, "XILINX_XRT is not set"), "%s", said.out);
  spoken_free(&said);
}

static void *contents(const char *path, size_t *bytes) { return load(path, bytes); }

/* One executable file, two devices: the files that it writes and the figures that it
 * prints are the same. */
Test(refusals, gemm_writes_the_same_on_rtl_and_xrt) {
  static const char *const sizes[][3] = {
      {"1", "1", "1"}, {"40", "33", "70"}, {"65", "7", "129"}};
  static const char *const devices[2] = {"rtl:" MODEL, "xrt:" GOOD};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    size_t bytes[2] = {0};
    char *data[2];
    cJSON *result[2];
    for (int d = 0; d < 2; d++) {
      const char *out = in(folder, d ? "xrt.npy" : "rtl.npy");
      spoken said = spawn(NULL, "gemm", "-d", devices[d], "-m", sizes[i][0], "-n",
                          sizes[i][1], "-k", sizes[i][2], "--out", out, "--json", NULL);
      cr_assert_eq(said.code, 0, "%s", said.error);
      result[d] = json_of(&said);
      data[d] = contents(out, &bytes[d]);
      spoken_free(&said);
    }
    cr_expect_eq(bytes[0], bytes[1]);
    cr_expect_arr_eq(data[0], data[1], bytes[0]);
    static const char *const keys[] = {"cycles", "utilisation", "seconds", "clock_mhz"};
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
      cr_expect_eq(json_number(result[0], keys[k]), json_number(result[1], keys[k]), "%s",
                   keys[k]);
    }
    cr_expect(cJSON_Compare(cJSON_GetObjectItem(result[0], "ledger"),
                            cJSON_GetObjectItem(result[1], "ledger"), 1));
    for (int d = 0; d < 2; d++) {
      cJSON_Delete(result[d]);
      free(data[d]);
    }
  }
}
