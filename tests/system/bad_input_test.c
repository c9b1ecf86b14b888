/* Bad input, each with a sentence and the exit code of the contract, nothing
 * half-written. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "spawn.h"

static char folder[64];
static void make(void) {
  int8_t data[64] = {1, 2, 3};
  folder_make(folder);
  write_npy(in(folder, "a.npy"), "|i1", 3, 4, data, 12);
  write_npy(in(folder, "b.npy"), "|i1", 4, 5, data, 20);
  write_npy(in(folder, "wrong.npy"), "|i1", 5, 5, data, 25);
  write_npy(in(folder, "short.npy"), "|i1", 4, 5, data, 19);
  write_npy(in(folder, "long.npy"), "|i1", 4, 5, data, 21);
  write_npy(in(folder, "huge.npy"), "|i1", 4, 1000000000000000000L, data, 20);
  write_npy(in(folder, "vast.npy"), "|i1", 4000000000L, 4000000000L, data, 20);
  write_npy(in(folder, "float.npy"), "<f4", 4, 4, data, 64);
  write_npy(in(folder, "int.npy"), "<i4", 4, 4, data, 64);
  write_npy(in(folder, "double.npy"), "<f8", 2, 4, data, 64);
  write_file(in(folder, "text.npy"), "not a matrix at all", 19);
  write_file(in(folder, "empty.npy"), "", 0);
}
static void clean(void) { folder_remove(folder); }
TestSuite(bad, .init = make, .fini = clean);

static void expect(spoken said, int code, const char *sentence, const char *what) {
  cr_assert_eq(said.code, code, "%s: %d instead of %d: %s", what, said.code, code,
               said.error);
  cr_assert_not_null(strstr(said.error, sentence), "%s: '%s' is not in: %s", what,
                     sentence, said.error);
  cr_assert_eq(strncmp(said.error, "systole", 7), 0);
  cr_assert_str_eq(said.out, "", "%s", what);
  spoken_free(&said);
}

Test(bad, files_are_refused_with_exit_code_2) {
  static const struct {
    const char *b, *sentence;
  } cases[] = {
      {"missing.npy", "No such file"}, {"wrong.npy", "columns of A must equal"},
      {"short.npy", "truncated"},      {"long.npy", "too long"},
      {"huge.npy", "promises"},        {"vast.npy", "more than a 64-bit machine"},
      {"float.npy", "float32"},        {"int.npy", "int32"},
      {"double.npy", "'<f8'"},         {"text.npy", "no .npy file"},
      {"empty.npy", "no .npy file"},   {".", "no regular file"}};
  const int before = entries(folder);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    expect(spawn(NULL, "gemm", "-d", "cpu", "--a", in(folder, "a.npy"), "--b",
                 in(folder, cases[i].b), "--out", in(folder, "c.npy"), "--json", NULL),
           2, cases[i].sentence, cases[i].b);
    expect(spawn(NULL, "compare", "--devices", "cpu", "--a", in(folder, "a.npy"), "--b",
                 in(folder, cases[i].b), "--out", in(folder, "report"), "--json", NULL),
           2, cases[i].sentence, cases[i].b);
    cr_assert_eq(entries(folder), before, "%s: nothing was written", cases[i].b);
  }
}

Test(bad, sizes_are_refused_with_exit_code_2) {
  static const struct {
    const char *option, *value, *sentence;
  } cases[] = {{"-m", "-1", "negative"},
               {"-m", "", "whole number"},
               {"-m", "4.5", "whole number"},
               {"-m", "1e3", "whole number"},
               {"-m", "12ab", "whole number"},
               {"-m", "9223372036854775808", "too large"},
               {"-m", "99999999999999999999999", "too large"},
               {"-m", "9223372036854775807", "more than a 64-bit machine"},
               {"--seed", "-1", "negative"},
               {"--threads", "0", "--threads"},
               {"--threads", "x", "--threads"},
               {"--repeat", "0", "--repeat"},
               {"--clock", "0", "--clock"},
               {"--clock", "-5", "--clock"},
               {"--memory", "sram", "presets"},
               {"--stalls", "many", "--stalls"},
               {"--device-memory", "0", "--device-memory"},
               {"--timeout", "0", "--timeout"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    expect(spawn(NULL, "gemm", "-d", "cpu", "-m", "4", "-n", "4", "-k", "4",
                 cases[i].option, cases[i].value, NULL),
           2, cases[i].sentence, cases[i].value);
  }
  expect(spawn(NULL, "gemm", "-d", "cpu", "-m", "4", "-n", "4", NULL), 2, "-k is missing",
         "no k");
  expect(spawn(NULL, "gemm", "-d", "cpu", "--a", in(folder, "a.npy"), "--b",
               in(folder, "b.npy"), "-m", "4", NULL),
         2, "has 3 rows", "-m against the file");
  expect(spawn(NULL, "gemm", "-d", "cpu", "-m", "4000000000", "-n", "4000000000", "-k",
               "1", NULL),
         2, "more than a 64-bit machine", "product of sizes");
}

Test(bad, more_memory_than_there_is_is_exit_code_5) {
  expect(
      spawn(NULL, "gemm", "-d", "cpu", "-m", "3000000", "-n", "3000000", "-k", "1", NULL),
      5, "GiB of memory", "a result of 33 TiB");
  expect(spawn(NULL, "compare", "--devices", "cpu", "--workload", "mlp", "--hidden",
               "100000000", "--out", in(folder, "r"), NULL),
         5, "GiB of memory", "a network of 20 PiB");
}

Test(bad, devices_that_are_not_here_are_exit_code_3) {
  static const char *const names[] = {
      "nothing", "rtl:3", "rtl:", "rtl:16:polished", "rtl:99999999999", "cpu:imaginary"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    expect(spawn(NULL, "gemm", "-d", names[i], "-m", "4", "-n", "4", "-k", "4", NULL), 3,
           "cannot open device", names[i]);
    expect(spawn(NULL, "compare", "--devices", names[i], "--out", in(folder, "r"), NULL),
           3, "cannot open device", names[i]);
  }
  expect(spawn(NULL, "gemm", "-d", "", "-m", "4", "-n", "4", "-k", "4", NULL), 2,
         "name of the device", "an empty name");
  cr_assert_not(exists(in(folder, "r")));
}

Test(bad, places_that_cannot_be_written_are_exit_code_2) {
  /* A file in place of a folder stops root, too, which ignores permissions. */
  static const char *const places[] = {"a.npy/c.npy", "nowhere/c.npy", "."};
  for (size_t i = 0; i < 3; i++) {
    expect(spawn(NULL, "gemm", "-d", "cpu", "-m", "4", "-n", "4", "-k", "4", "--out",
                 in(folder, places[i]), NULL),
           2, "cannot write", places[i]);
  }
  expect(spawn(NULL, "gemm", "-d", "cpu", "-m", "4", "-n", "4", "-k", "4", "--out",
               "/proc/systole.npy", NULL),
         2, "cannot write", "/proc");
  expect(spawn(NULL, "compare", "--devices", "cpu", "--sizes", "8", "--out",
               in(folder, "a.npy"), NULL),
         2, "not a folder", "compare into a file");
  expect(spawn(NULL, "compare", "--devices", "cpu", "--sizes", "8", "--out",
               in(folder, "a.npy/r"), NULL),
         2, "cannot write into the folder", "compare below a file");
  expect(spawn(NULL, "compare", "--devices", "cpu", "--sizes", "8", "--out",
               "/proc/report", NULL),
         2, "cannot write into the folder", "compare into /proc");
}

#ifdef SYSTOLE_TEST_ARRAY
Test(bad, a_device_whose_memory_is_exhausted_is_exit_code_4) {
  const int before = entries(folder);
  expect(spawn(NULL, "gemm", "-d", SYSTOLE_TEST_ARRAY, "-m", "4", "-n", "4", "-k",
               "3000000", "--device-memory", "1", "--out", in(folder, "c.npy"), NULL),
         4, "bytes of device memory", "weights of 48 MB in 1 MiB");
  cr_assert_eq(entries(folder), before);
}
#endif

Test(bad, a_full_disk_is_exit_code_5) {
  expect(spawn(NULL, "gemm", "-d", "cpu", "-m", "100", "-n", "100", "-k", "4", "--out",
               "/dev/full", NULL),
         5, "No space left", "--out /dev/full");
  const spawn_options full = {.out_file = "/dev/full"};
  expect(
      spawn(&full, "gemm", "-d", "cpu", "-m", "4", "-n", "4", "-k", "4", "--json", NULL),
      5, "No space left", "--json > /dev/full");
}

Test(bad, workloads_are_checked_before_anything_runs) {
  const int before = entries(folder);
  static const struct {
    const char *option, *value, *sentence;
  } cases[] = {
      {"--workload", "bert", "workloads are"}, {"--sizes", "8x8", "MxNxK"},
      {"--sizes", "8x8x8x8", "MxNxK"},         {"--sizes", "eight", "whole number"},
      {"--sizes", "-8", "negative"},           {"--sizes", ",", "empty"},
      {"--batch", "0", "at least 1"},          {"--hidden", "0", "at least 1"},
      {"--images", "x", "belongs to"},         {"--a", "x", "go together"},
      {"--devices", ",", "--devices is empty"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    expect(spawn(NULL, "compare", "--out", in(folder, "r"), "--devices", "cpu",
                 cases[i].option, cases[i].value, NULL),
           2, cases[i].sentence, cases[i].option);
  }
  static const struct {
    const char *name, *sentence;
    unsigned char data[24];
    size_t size;
  } images[] = {
      {"none", "No such file", {0}, 0},
      {"magic", "no IDX file", {1, 2, 3, 4}, 24},
      {"labels", "1 dimension", {0, 0, 8, 1, 0, 0, 0, 9}, 17},
      {"few", "2 image(s)", {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2}, 24},
      {"cut", "truncated", {0, 0, 8, 3, 0, 0, 0, 9, 0, 0, 0, 2, 0, 0, 0, 2}, 20}};
  for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
    if (images[i].size > 0) write_file(in(folder, "idx"), images[i].data, images[i].size);
    expect(spawn(NULL, "compare", "--out", in(folder, "r"), "--devices", "cpu",
                 "--workload", "mlp", "--batch", "9", "--images",
                 in(folder, images[i].size > 0 ? "idx" : "no"), NULL),
           2, images[i].sentence, images[i].name);
  }
  cr_assert_eq(entries(folder), before + 1, "only what this test wrote");
}
