/* The passport of a bitstream: read, held against the file, the kernel and the shell. */
#define _GNU_SOURCE
#include "card/passport.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card/systole_isa.h"

static char folder[64];
static void make(void) {
  strcpy(folder, "/tmp/systole-passport-XXXXXX");
  cr_assert_not_null(mkdtemp(folder));
}
static void clean(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf '%s'", folder);
  cr_assert_eq(system(command), 0);
}
TestSuite(passport, .init = make, .fini = clean);

static const char *in(const char *name) {
  static char paths[4][128];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static void write_text(const char *name, const char *text) {
  FILE *file = fopen(in(name), "wb");
  cr_assert_not_null(file);
  fputs(text, file);
  cr_assert_eq(fclose(file), 0);
}

/* SHA-256 of "abc", which stands for a bitstream. */
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define GEOMETRY                                                                  \
  "\"geometry\": {\"dim\": 32, \"axi_bytes\": 32, \"weight_ports\": 1, "          \
  "\"ub_rows\": 8192, \"acc_rows\": 2048, \"weight_tiles\": 8, \"features\": 3, " \
  "\"flat_array\": 0}"
#define GOOD                                                                       \
  "{\"passport\": 1, \"xclbin\": \"systole.xclbin\", \"sha256\": \"" ABC           \
  "\", \"platform\": \"u50\", \"shell\": \"xilinx_u50_gen3x16_xdma_5_202210_1\", " \
  "\"tools\": {\"vivado\": \"2023.2\", \"vitis\": \"2023.2\"}, "                   \
  "\"commit\": \"0123456789abcdef0123456789abcdef01234567\", " GEOMETRY            \
  ", \"isa_version\": 1, \"rtl_version\": 1, \"clock_mhz\": 297.5, "               \
  "\"selftest\": {\"m\": 19, \"sha256\": \"" ABC "\"}}"

static const systole_geometry geometry = {.dim = 32,
                                          .axi_bytes = 32,
                                          .weight_ports = 1,
                                          .ub_rows = 8192,
                                          .acc_rows = 2048,
                                          .weight_tiles = 8,
                                          .features = 3,
                                          .flat_array = 0};

static void expect_words(const char *words) {
  cr_assert_not_null(strstr(systole_last_error(), words), "expected '%s' in: %s", words,
                     systole_last_error());
}

Test(passport, is_read_with_every_key) {
  systole_passport p;
  write_text("p.json", GOOD);
  cr_assert_eq(systole_passport_read(&p, in("p.json")), SYSTOLE_OK, "%s",
               systole_last_error());
  cr_assert_str_eq(p.platform, "u50");
  cr_assert_str_eq(p.shell, "xilinx_u50_gen3x16_xdma_5_202210_1");
  cr_assert_str_eq(p.vivado, "2023.2");
  cr_assert_str_eq(p.sha256, ABC);
  cr_assert_str_eq(p.selftest_sha256, ABC);
  cr_assert_eq(p.clock_mhz, 297.5);
  cr_assert_eq(p.rtl_version, 1);
  cr_assert_arr_eq(&p.geometry, &geometry, sizeof geometry);
}

/* Every key but the self-test is needed; each absence is told by its name. */
Test(passport, names_what_is_missing_or_wrong) {
  static const char *const keys[] = {
      "passport",    "xclbin",       "sha256",   "platform", "shell",        "tools",
      "vivado",      "vitis",        "commit",   "geometry", "dim",          "axi_bytes",
      "ub_rows",     "weight_ports", "acc_rows", "features", "weight_tiles", "flat_array",
      "isa_version", "rtl_version",  "clock_mhz"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    char text[2048], quoted[64];
    systole_passport p;
    strcpy(text, GOOD);
    snprintf(quoted, sizeof quoted, "\"%s\":", keys[i]);
    char *at = strstr(text, quoted);
    cr_assert_not_null(at);
    at[1] = 'X';
    write_text("p.json", text);
    cr_assert_eq(systole_passport_read(&p, in("p.json")), SYSTOLE_ERR_ARGUMENT);
    expect_words(keys[i]);
    cr_assert_eq(p.geometry.dim, 0);
  }
}

static const struct {
  const char *from, *to, *words;
} changes[] = {
    {"\"dim\": 32", "\"dim\": 32.5", "\"dim\" is not a whole number"},
    {"\"dim\": 32", "\"dim\": \"32\"", "\"dim\" is not a whole number"},
    {"\"passport\": 1", "\"passport\": 2", "\"passport\" is not"},
    {"297.5", "-1", "\"clock_mhz\" is not"},
    {"\"sha256\": \"ba", "\"sha256\": \"BA", "64 lower-case"},
    {"\"platform\": \"u50\"", "\"platform\": \"\"", "\"platform\" is not a text"},
    {"\"m\": 19, \"sha256\"", "\"m\": 19, \"xsha256\"", "sha256"}};

Test(passport, refuses_values_that_make_no_sense) {
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    static const char good[] = GOOD;
    char text[2048];
    systole_passport p;
    const char *at = strstr(good, changes[i].from);
    cr_assert_not_null(at, "%s", changes[i].from);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, changes[i].to,
             at + strlen(changes[i].from));
    write_text("p.json", text);
    cr_assert_eq(systole_passport_read(&p, in("p.json")), SYSTOLE_ERR_ARGUMENT, "%s",
                 changes[i].to);
    expect_words(changes[i].words);
  }
}

Test(passport, refuses_what_is_no_passport) {
  systole_passport p;
  cr_assert_eq(systole_passport_read(&p, in("none.json")), SYSTOLE_ERR_IO);
  expect_words("cannot be read");
  cr_assert_eq(systole_passport_read(&p, folder), SYSTOLE_ERR_IO);
  static const char *const texts[] = {"", "{", "[]", "null", "\x7f\x45LF"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    write_text("p.json", texts[i]);
    cr_assert_eq(systole_passport_read(&p, in("p.json")), SYSTOLE_ERR_ARGUMENT);
    expect_words("is no passport");
  }
  char *large = malloc(200000);
  cr_assert_not_null(large);
  memset(large, ' ', 199999);
  large[199999] = 0;
  write_text("p.json", large);
  free(large);
  cr_assert_eq(systole_passport_read(&p, in("p.json")), SYSTOLE_ERR_ARGUMENT);
  expect_words("larger than");
}

Test(passport, is_found_beside_its_file_and_checked) {
  systole_passport p;
  int found = 1;
  write_text("systole.xclbin", "abc");
  cr_assert_eq(systole_passport_find(&p, &found, in("systole.xclbin")), SYSTOLE_OK);
  cr_assert_eq(found, 0, "a file without a passport is accepted");

  write_text("passport.json", GOOD);
  cr_assert_eq(systole_passport_find(&p, &found, in("systole.xclbin")), SYSTOLE_OK, "%s",
               systole_last_error());
  cr_assert_eq(found, 1);
  cr_assert_str_eq(p.path, in("passport.json"));

  write_text("other.xclbin", "abc");
  cr_assert_eq(systole_passport_find(&p, &found, in("other.xclbin")), SYSTOLE_OK);
  cr_assert_eq(found, 0, "passport.json names another file");
  write_text("other.passport.json", GOOD);
  cr_assert_eq(systole_passport_find(&p, &found, in("other.xclbin")), SYSTOLE_OK);
  cr_assert_eq(found, 1);

  write_text("systole.xclbin", "abcd");
  cr_assert_eq(systole_passport_find(&p, &found, in("systole.xclbin")),
               SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(found, 0);
  expect_words("is not the file of its passport");
  expect_words("scripts/build_xclbin --platform u50");

  write_text("passport.json", "{");
  cr_assert_eq(systole_passport_find(&p, &found, in("systole.xclbin")),
               SYSTOLE_ERR_ARGUMENT);
  cr_assert_eq(unlink(in("systole.xclbin")), 0);
  write_text("passport.json", GOOD);
  cr_assert_eq(systole_passport_find(&p, &found, in("systole.xclbin")),
               SYSTOLE_ERR_NOT_FOUND);
}

Test(passport, is_found_in_the_working_folder) {
  systole_passport p;
  int found = 0;
  write_text("systole.xclbin", "abc");
  write_text("passport.json", GOOD);
  cr_assert_eq(chdir(folder), 0);
  cr_assert_eq(systole_passport_find(&p, &found, "systole.xclbin"), SYSTOLE_OK, "%s",
               systole_last_error());
  cr_assert_eq(found, 1);
}

Test(passport, fits_one_kernel_and_one_shell) {
  systole_passport p;
  const uint32_t version = 1u | 1u << 8;
  write_text("p.json", GOOD);
  cr_assert_eq(systole_passport_read(&p, in("p.json")), SYSTOLE_OK);
  cr_assert_eq(systole_passport_check_kernel(&p, &geometry, version), SYSTOLE_OK);
  cr_assert_eq(systole_passport_check_kernel(&p, &geometry, 2u | 1u << 8),
               SYSTOLE_ERR_ARGUMENT);
  expect_words("instruction set is 2 on the card and 1 in the passport");
  cr_assert_eq(systole_passport_check_kernel(&p, &geometry, 1u | 4u << 8),
               SYSTOLE_ERR_ARGUMENT);
  expect_words("RTL version is 4");
  static const char *const names[] = {"array size",       "bytes of a memory port",
                                      "weight ports",     "rows of the unified buffer",
                                      "accumulator rows", "weight tiles",
                                      "features",         "flat array"};
  for (int i = 0; i < 8; i++) {
    systole_geometry other = geometry;
    if (i == 0) other.dim = 16;
    if (i == 1) other.axi_bytes = 64;
    if (i == 2) other.weight_ports = 2;
    if (i == 3) other.ub_rows = 1;
    if (i == 4) other.acc_rows = 1;
    if (i == 5) other.weight_tiles = 1;
    if (i == 6) other.features = 0;
    if (i == 7) other.flat_array = 1;
    cr_assert_eq(systole_passport_check_kernel(&p, &other, version),
                 SYSTOLE_ERR_ARGUMENT);
    expect_words(names[i]);
  }
  cr_assert_eq(systole_passport_check_shell(&p, NULL), SYSTOLE_OK);
  cr_assert_eq(systole_passport_check_shell(&p, ""), SYSTOLE_OK);
  cr_assert_eq(systole_passport_check_shell(&p, "xilinx_u50_gen3x16_xdma_5_202210_1"),
               SYSTOLE_OK);
  static const char *const same[][2] = {
      {"xilinx_u50_gen3x16_xdma_5_202210_1", "xilinx_u50_gen3x16_xdma_base_5"},
      {"xilinx_u250_gen3x16_xdma_4_1_202210_1", "xilinx_u250_gen3x16_xdma_shell_4_1"},
      {"xilinx_u280_gen3x16_xdma_1_202211_1", "xilinx_u280_gen3x16_xdma_base_1"},
      {"xilinx_u200_gen3x16_xdma_2_202110_1", "xilinx_u200_gen3x16_xdma_base_2"},
      {"xilinx_u55c_gen3x16_xdma_3_202210_1", "xilinx_u55c_gen3x16_xdma_base_3"}};
  for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
    cr_assert(systole_passport_same_shell(same[i][0], same[i][1]), "%s", same[i][0]);
    for (size_t j = 0; j < sizeof same / sizeof same[0]; j++) {
      cr_assert_eq(systole_passport_same_shell(same[i][0], same[j][1]), i == j);
    }
  }
  cr_assert_not(systole_passport_same_shell("xilinx_u50_gen3x16_xdma_base_5",
                                            "xilinx_u50_gen3x16_xdma_base_4"));
  cr_assert_not(systole_passport_same_shell("xilinx_u50_basement", "xilinx_u50ment"));
  cr_assert_eq(systole_passport_check_shell(&p, "xilinx_u50_gen3x16_xdma_201920_3"),
               SYSTOLE_ERR_ARGUMENT);
  expect_words("xilinx_u50_gen3x16_xdma_201920_3");
  expect_words("xbmgmt program");
}
