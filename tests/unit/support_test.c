/* The small things below everything: messages, checked sizes, reproducible numbers. */
#include <criterion/criterion.h>
#include <string.h>

#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"
#include "support/random.h"

Test(error, keeps_the_last_story_and_returns_the_status) {
  cr_assert_str_eq(systole_last_error(), "");
  cr_assert_eq(systole_fail(SYSTOLE_ERR_IO, "file %s, line %d", "a.npy", 3),
               SYSTOLE_ERR_IO);
  cr_assert_str_eq(systole_last_error(), "file a.npy, line 3");
  cr_assert_eq(systole_fail_in(SYSTOLE_ERR_ARGUMENT, "operand %c", 'A'),
               SYSTOLE_ERR_ARGUMENT);
  cr_assert_str_eq(systole_last_error(), "operand A: file a.npy, line 3");
  systole_fail(SYSTOLE_ERR_IO, "again: %s", systole_last_error());
  cr_assert_str_eq(systole_last_error(), "again: operand A: file a.npy, line 3");
}

Test(error, cuts_a_story_that_is_too_long) {
  char text[4096];
  memset(text, 'x', sizeof text);
  text[sizeof text - 1] = 0;
  systole_fail(SYSTOLE_ERR_IO, "%s", text);
  systole_fail_in(SYSTOLE_ERR_IO, "%s", text);
  cr_assert_lt(strlen(systole_last_error()), 2000);
}

Test(error, every_status_has_a_name_of_its_own) {
  for (int a = 0; a >= -10; a--) {
    const char *name = systole_status_name((systole_status)a);
    cr_assert_gt(strlen(name), 0);
    cr_assert_str_neq(name, "unknown status");
    for (int b = 0; b > a; b--) {
      cr_assert_str_neq(name, systole_status_name((systole_status)b));
    }
  }
  cr_assert_str_eq(systole_status_name((systole_status)-99), "unknown status");
}

Test(memory, overflow_is_seen) {
  uint64_t out;
  cr_assert(systole_multiply(&out, UINT64_MAX / 3, 3));
  cr_assert_eq(out, UINT64_MAX / 3 * 3);
  cr_assert_not(systole_multiply(&out, UINT64_MAX / 3 + 1, 3));
  cr_assert_eq(out, 0);
  cr_assert(systole_multiply(&out, 0, UINT64_MAX));
  cr_assert(systole_add(&out, UINT64_MAX - 1, 1));
  cr_assert_not(systole_add(&out, UINT64_MAX, 1));
}

Test(memory, allocation_is_aligned_and_refusal_is_a_sentence) {
  void *memory;
  for (uint64_t bytes = 0; bytes < 200; bytes += 33) {
    cr_assert_eq(systole_allocate_zeroed(&memory, bytes, 1, "a test"), SYSTOLE_OK);
    cr_assert_eq((uintptr_t)memory % 64, 0);
    for (uint64_t i = 0; i < bytes; i++) cr_assert_eq(((char *)memory)[i], 0);
    systole_release(memory);
  }
  cr_assert_eq(systole_allocate(&memory, UINT64_MAX / 2, 4, "a mountain"),
               SYSTOLE_ERR_HOST_MEMORY);
  cr_assert_null(memory);
  cr_assert_not_null(strstr(systole_last_error(), "a mountain"));
  cr_assert_eq(systole_allocate(&memory, (uint64_t)1 << 62, 1, "a mountain"),
               SYSTOLE_ERR_HOST_MEMORY);
  cr_assert_null(memory);
  systole_release(NULL);
}

Test(random, is_the_published_generator) {
  /* First outputs for the state 1, 2, 3, 4, from the reference implementation. */
  systole_random random = {{1, 2, 3, 4}};
  cr_assert_eq(systole_random_next(&random), 11520u);
  cr_assert_eq(systole_random_next(&random), 0u);
  cr_assert_eq(systole_random_next(&random), 1509978240u);
  cr_assert_eq(systole_random_next(&random), 1215971899390074240u);
}

Test(random, repeats_for_a_seed_and_covers_int8) {
  enum { kCount = 100001 };
  static int8_t a[kCount], b[kCount];
  systole_random random;
  systole_random_seed(&random, 7);
  systole_random_int8(&random, a, kCount);
  systole_random_seed(&random, 7);
  systole_random_int8(&random, b, kCount);
  cr_assert_arr_eq(a, b, kCount);
  systole_random_seed(&random, 8);
  systole_random_int8(&random, b, kCount);
  cr_assert(memcmp(a, b, kCount) != 0);
  int seen[256] = {0};
  for (int i = 0; i < kCount; i++) seen[a[i] + 128]++;
  /* 391 expected each, deviation 20: a bound of five deviations. */
  for (int i = 0; i < 256; i++)
    cr_assert(seen[i] > 290 && seen[i] < 492, "%d: %d", i, seen[i]);
}

Test(random, below_and_unit_stay_in_range) {
  systole_random random;
  systole_random_seed(&random, 1);
  int seen[10] = {0};
  for (int i = 0; i < 10000; i++) {
    uint64_t value = systole_random_below(&random, 10);
    cr_assert_lt(value, 10);
    seen[value]++;
    double unit = systole_random_unit(&random);
    cr_assert(unit >= 0.0 && unit < 1.0);
  }
  for (int i = 0; i < 10; i++) cr_assert(seen[i] > 800 && seen[i] < 1200);
}

Test(clock, runs_forward) {
  double wall = systole_wall_seconds(), cpu = systole_cpu_seconds();
  volatile double sum = 0;
  while (systole_cpu_seconds() < cpu + 0.01) sum += 1;
  cr_assert_geq(systole_wall_seconds(), wall + 0.005);
}
