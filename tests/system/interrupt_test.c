/* Ctrl-C in the middle: exit code 130, soon, and nothing half-written. */
#include <criterion/criterion.h>
#include <string.h>

#include "spawn.h"

#ifdef SYSTOLE_TEST_ARRAY
#define DEVICE SYSTOLE_TEST_ARRAY
#else
#define DEVICE "cpu"
#endif

static char folder[64];
static void make(void) { folder_make(folder); }
static void clean(void) { folder_remove(folder); }
/* Uninterrupted these runs take minutes; the limit shows that they were not just
 * finished. */
TestSuite(interrupt, .init = make, .fini = clean, .timeout = 60);

static void expect_stop(spoken said, const char *what) {
  cr_assert_eq(said.code, 130, "%s: %d: %s", what, said.code, said.error);
  cr_assert_str_eq(said.out, "", "%s", what);
  cr_assert_eq(entries(folder), 0, "%s: something is left", what);
  spoken_free(&said);
}

Test(interrupt, stops_a_long_product) {
  const spawn_options soon = {.interrupt_after_ms = 1500};
  spoken said =
      spawn(&soon, "gemm", "-d", DEVICE, "-m", "12000", "-n", "12000", "-k", "12000",
            "--repeat", "1000", "--out", in(folder, "c.npy"), "--json", NULL);
  cr_assert_not_null(strstr(said.error, "interrupted"), "%s", said.error);
  expect_stop(said, "gemm");
}

Test(interrupt, twice_stops_at_once) {
  const spawn_options soon = {.interrupt_after_ms = 1500, .interrupt_twice = 1};
  expect_stop(spawn(&soon, "gemm", "-d", DEVICE, "-m", "12000", "-n", "12000", "-k",
                    "12000", "--repeat", "1000", "--out", in(folder, "c.npy"), NULL),
              "gemm");
}

Test(interrupt, stops_a_comparison) {
  const spawn_options soon = {.interrupt_after_ms = 1500};
  expect_stop(spawn(&soon, "compare", "--devices", DEVICE, "--sizes", "64,8000", "--out",
                    in(folder, "report"), NULL),
              "compare");
}
