/* systole trace: a waveform, or a sentence. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "spawn.h"

static char folder[64];
static void make(void) { folder_make(folder); }
static void clean(void) { folder_remove(folder); }
TestSuite(trace, .init = make, .fini = clean, .timeout = 120);

Test(trace, mistakes_leave_nothing_behind) {
  static const struct {
    const char *option, *value;
    int code;
  } cases[] = {{"--device", "cpu", 3},    {"--device", "rtl:3", 3},
               {"--cycles", "5", 2},      {"--cycles", "9:3", 2},
               {"--cycles", "a:b", 2},    {"-m", "-3", 2},
               {"--out", "/dev/null", 2}, {"--out", "/proc/x.fst", 2}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    spoken said = spawn(NULL, "trace", "--out", in(folder, "w.fst"), cases[i].option,
                        cases[i].value, NULL);
    cr_assert_eq(said.code, cases[i].code, "%s %s: %s", cases[i].option, cases[i].value,
                 said.error);
    cr_assert_str_eq(said.out, "");
    cr_assert_eq(strncmp(said.error, "systole trace: ", 15), 0, "%s", said.error);
    spoken_free(&said);
    cr_assert_eq(entries(folder), 0, "%s", cases[i].value);
  }
}

#ifdef SYSTOLE_TEST_ARRAY
/* An FST file begins with a header block of 329 bytes (type 0, length in 8 bytes). */
static long size_of_wave(const char *path) {
  unsigned char start[9];
  struct stat status;
  FILE *file = fopen(path, "rb");
  cr_assert_not_null(file);
  cr_assert_eq(fread(start, 1, 9, file), 9);
  fclose(file);
  cr_assert_eq(start[0], 0);
  cr_assert_eq(start[7] << 8 | start[8], 329);
  cr_assert_eq(stat(path, &status), 0);
  return (long)status.st_size;
}

Test(trace, records_a_run_and_a_window_of_it) {
  spoken said = spawn(NULL, "trace", "-d", SYSTOLE_TEST_ARRAY, "-m", "20", "-n", "20",
                      "-k", "20", "--out", in(folder, "w.fst"), "--json", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cJSON *object = json_of(&said);
  cr_assert_eq(json_number(object, "mismatches"), 0);
  cr_assert_gt(json_number(object, "cycles"), 0);
  const long whole = size_of_wave(in(folder, "w.fst"));
  cr_assert_eq(json_number(object, "wave_bytes"), (double)whole);
  cJSON_Delete(object);
  spoken_free(&said);
  cr_assert_eq(entries(folder), 1, "nothing temporary is left");

  said = spawn(NULL, "trace", "-d", SYSTOLE_TEST_ARRAY, "-m", "20", "-n", "20", "-k",
               "20", "--out", in(folder, "part.fst"), "--cycles", "100:120", NULL);
  cr_assert_eq(said.code, 0, "%s", said.error);
  cr_assert_not_null(strstr(said.out, "gtkwave"), "%s", said.out);
  spoken_free(&said);
  cr_assert_lt(size_of_wave(in(folder, "part.fst")), whole);
}
#endif
