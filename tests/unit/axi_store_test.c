/* Simulated device memory: addresses, allocation, coalescing. */
#include "axi_store.h"

#include <criterion/criterion.h>
#include <string.h>

#define BASE UINT64_C(0x100000000000)
#define PAGE UINT64_C(4096)

static void expect_usage(const systole_axi_store *store, uint64_t used,
                         uint64_t longest) {
  uint64_t found_used, found_longest;
  systole_axi_store_usage(store, &found_used, &found_longest);
  cr_expect_eq(found_used, used, "used %lu, not %lu", found_used, used);
  cr_expect_eq(found_longest, longest, "longest %lu, not %lu", found_longest, longest);
}

Test(axi_store, blocks_are_aligned_and_apart) {
  systole_axi_store *store = systole_axi_store_create(BASE, 64 * PAGE);
  cr_assert_not_null(store);
  uint64_t before = 0;
  for (uint64_t bytes = 0; bytes < 5 * PAGE; bytes += 1700) {
    const uint64_t address = systole_axi_store_alloc(store, bytes);
    cr_assert_neq(address, 0);
    cr_expect_eq(address % SYSTOLE_AXI_STORE_ALIGN, 0);
    cr_expect_gt(address, before);
    cr_expect_geq(address, BASE);
    memset(systole_axi_store_at(store, address, bytes), 0xAB, bytes);
    before = address + (bytes ? bytes - 1 : 0);
  }
  systole_axi_store_free(store);
}

Test(axi_store, size_is_rounded_up_to_pages) {
  systole_axi_store *store = systole_axi_store_create(BASE, PAGE + 1);
  cr_assert_not_null(store);
  cr_expect_eq(store->bytes, 2 * PAGE);
  systole_axi_store_free(store);
}

Test(axi_store, impossible_sizes_are_refused) {
  cr_expect_null(systole_axi_store_create(BASE, 0));
  cr_expect_null(systole_axi_store_create(BASE, UINT64_MAX));
  cr_expect_null(systole_axi_store_create(0, PAGE));
  cr_expect_null(systole_axi_store_create(BASE + 1, PAGE));
  systole_axi_store_free(NULL);
}

Test(axi_store, released_neighbours_join_in_any_order) {
  static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                   {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (int o = 0; o < 6; o++) {
    systole_axi_store *store = systole_axi_store_create(BASE, 3 * PAGE);
    uint64_t block[3];
    for (int i = 0; i < 3; i++) block[i] = systole_axi_store_alloc(store, PAGE);
    expect_usage(store, 3 * PAGE, 0);
    cr_expect_eq(systole_axi_store_alloc(store, 1), 0, "memory is exhausted");
    for (int i = 0; i < 3; i++) {
      cr_expect_eq(systole_axi_store_release(store, block[orders[o][i]]), 0);
    }
    expect_usage(store, 0, 3 * PAGE);
    cr_expect_eq(systole_axi_store_alloc(store, 3 * PAGE), BASE);
    systole_axi_store_free(store);
  }
}

Test(axi_store, a_gap_is_used_again) {
  systole_axi_store *store = systole_axi_store_create(BASE, 8 * PAGE);
  const uint64_t a = systole_axi_store_alloc(store, 2 * PAGE);
  const uint64_t b = systole_axi_store_alloc(store, 2 * PAGE);
  const uint64_t c = systole_axi_store_alloc(store, 4 * PAGE);
  cr_assert(a && b && c);
  cr_expect_eq(systole_axi_store_release(store, b), 0);
  cr_expect_eq(systole_axi_store_alloc(store, 3 * PAGE), 0,
               "no gap of three pages is left");
  cr_expect_eq(systole_axi_store_alloc(store, 2 * PAGE), b);
  systole_axi_store_free(store);
}

Test(axi_store, only_the_start_of_a_used_block_can_be_released) {
  systole_axi_store *store = systole_axi_store_create(BASE, 8 * PAGE);
  const uint64_t a = systole_axi_store_alloc(store, 2 * PAGE);
  cr_expect_eq(systole_axi_store_release(store, a + PAGE), -1);
  cr_expect_eq(systole_axi_store_release(store, 0), -1);
  cr_expect_eq(systole_axi_store_release(store, a), 0);
  cr_expect_eq(systole_axi_store_release(store, a), -1, "a second time");
  systole_axi_store_free(store);
}

Test(axi_store, ranges_are_checked_without_overflow) {
  systole_axi_store *store = systole_axi_store_create(BASE, 2 * PAGE);
  cr_expect_eq(systole_axi_store_at(store, BASE, 2 * PAGE), store->data);
  cr_expect_eq(systole_axi_store_at(store, BASE + 2 * PAGE - 1, 1),
               store->data + 2 * PAGE - 1);
  cr_expect_null(systole_axi_store_at(store, BASE, 2 * PAGE + 1));
  cr_expect_null(systole_axi_store_at(store, BASE + 2 * PAGE - 1, 2));
  cr_expect_null(systole_axi_store_at(store, BASE - 1, 1));
  cr_expect_null(systole_axi_store_at(store, 0, 1));
  cr_expect_null(systole_axi_store_at(store, UINT64_MAX, 16));
  cr_expect_null(systole_axi_store_at(store, BASE + 1, UINT64_MAX));
  systole_axi_store_free(store);
}

Test(axi_store, gigabytes_cost_nothing_until_used) {
  systole_axi_store *store = systole_axi_store_create(BASE, UINT64_C(64) << 30);
  cr_assert_not_null(store);
  const uint64_t a = systole_axi_store_alloc(store, UINT64_C(63) << 30);
  cr_assert_neq(a, 0);
  uint8_t *end = systole_axi_store_at(store, a + (UINT64_C(63) << 30) - 1, 1);
  *end = 7;
  cr_expect_eq(*end, 7);
  cr_expect_eq(systole_axi_store_release(store, a), 0);
  cr_expect_eq(*end, 0, "a large block goes back to the operating system");
  systole_axi_store_free(store);
}

Test(axi_store, a_bank_is_filled_and_not_left) {
  systole_axi_store *store = systole_axi_store_create(BASE, 16 * PAGE);
  const uint64_t first = BASE + 4 * PAGE, end = BASE + 8 * PAGE;
  uint64_t block[4];
  for (int i = 0; i < 4; i++) {
    block[i] = systole_axi_store_alloc_in(store, PAGE, first, end);
    cr_expect_eq(block[i], first + (uint64_t)i * PAGE);
  }
  cr_expect_eq(systole_axi_store_alloc_in(store, 1, first, end), 0, "the bank is full");
  expect_usage(store, 4 * PAGE, 8 * PAGE);
  cr_expect_eq(systole_axi_store_release(store, block[1]), 0);
  cr_expect_eq(systole_axi_store_release(store, block[2]), 0);
  cr_expect_eq(systole_axi_store_alloc_in(store, 3 * PAGE, first, end), 0);
  cr_expect_eq(systole_axi_store_alloc_in(store, 2 * PAGE, first, end), block[1]);
  cr_expect_eq(systole_axi_store_alloc(store, 4 * PAGE), BASE, "the space before it");
  systole_axi_store_free(store);
}

Test(axi_store, a_bank_reaches_as_far_as_the_memory) {
  systole_axi_store *store = systole_axi_store_create(BASE, 4 * PAGE);
  cr_expect_eq(systole_axi_store_alloc_in(store, 1, BASE + 4 * PAGE, BASE + 8 * PAGE), 0);
  cr_expect_eq(systole_axi_store_alloc_in(store, 1, 0, BASE), 0);
  cr_expect_eq(systole_axi_store_alloc_in(store, 1, BASE + PAGE, BASE), 0);
  cr_expect_eq(systole_axi_store_alloc_in(store, 5 * PAGE, 0, UINT64_MAX), 0);
  cr_expect_eq(systole_axi_store_alloc_in(store, 4 * PAGE, 0, UINT64_MAX), BASE);
  systole_axi_store_free(store);
}
