/* IDX images, plain and gzip, whole and damaged; and the digits that stand in for them.
 */
#include "idx.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "digits.h"
#include "story.h"

enum { Count = 3, Side = 5, Size = 16 + Count * Side * Side };

static char path[] = "/tmp/systole-idx-XXXXXX";

static void make_file(void) { close(mkstemp(path)); }
static void remove_file(void) { unlink(path); }
TestSuite(idx, .init = make_file, .fini = remove_file);

static void build(uint8_t out[Size]) {
  const uint8_t header[16] = {0, 0, 8, 3, 0, 0, 0, Count, 0, 0, 0, Side, 0, 0, 0, Side};
  memcpy(out, header, 16);
  for (int i = 16; i < Size; i++) out[i] = (uint8_t)(i * 11);
}

static void save(const uint8_t *data, size_t size, int gzip) {
  if (gzip) {
    gzFile file = gzopen(path, "wb");
    cr_assert_eq(gzwrite(file, data, (unsigned)size), (int)size);
    cr_assert_eq(gzclose(file), Z_OK);
  } else {
    FILE *file = fopen(path, "wb");
    cr_assert_eq(fwrite(data, 1, size, file), size);
    fclose(file);
  }
}

Test(idx, reads_plain_and_gzip) {
  uint8_t data[Size];
  build(data);
  for (int gzip = 0; gzip <= 1; gzip++) {
    for (int wanted = 1; wanted <= Count; wanted++) {
      systole_images images;
      save(data, Size, gzip);
      cr_assert_eq(systole_idx_read(&images, path, wanted), 0, "%s",
                   systole_story_text());
      cr_assert_eq(images.count, wanted);
      cr_assert_eq(images.rows, Side);
      cr_assert_eq(images.cols, Side);
      cr_assert_arr_eq(images.pixels, data + 16, (size_t)(wanted * Side * Side));
      systole_images_free(&images);
    }
  }
}

Test(idx, refuses_a_file_that_is_truncated_at_any_byte) {
  uint8_t data[Size], packed[4096];
  systole_images images;
  build(data);
  for (size_t size = 0; size < Size; size++) {
    save(data, size, 0);
    cr_assert_eq(systole_idx_read(&images, path, Count), SYSTOLE_EXIT_USAGE, "%zu bytes",
                 size);
    cr_assert_null(images.pixels);
  }
  save(data, Size, 1);
  FILE *file = fopen(path, "rb");
  const size_t packed_size = fread(packed, 1, sizeof packed, file);
  fclose(file);
  for (size_t size = 0; size < packed_size; size++) {
    save(packed, size, 0);
    cr_assert_eq(systole_idx_read(&images, path, Count), SYSTOLE_EXIT_USAGE,
                 "%zu packed bytes", size);
    cr_assert_null(images.pixels);
  }
}

Test(idx, refuses_what_is_no_image_file) {
  static const struct {
    int at, value;
    const char *sentence;
  } cases[] = {
      {0, 1, "no IDX file"},      {1, 7, "no IDX file"},      {2, 9, "0x09"},
      {3, 1, "dimension"},        {7, 2, "2 image(s)"},       {8, 127, "header is wrong"},
      {11, 0, "header is wrong"}, {15, 0, "header is wrong"}, {15, 200, "truncated"}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint8_t data[Size];
    systole_images images;
    build(data);
    data[cases[i].at] = (uint8_t)cases[i].value;
    save(data, Size, 0);
    cr_assert_eq(systole_idx_read(&images, path, Count), SYSTOLE_EXIT_USAGE, "case %zu",
                 i);
    cr_assert_not_null(strstr(systole_story_text(), cases[i].sentence), "%s",
                       systole_story_text());
    cr_assert_null(images.pixels);
  }
  systole_images images;
  cr_assert_eq(systole_idx_read(&images, "/nonexistent", 1), SYSTOLE_EXIT_USAGE);
  cr_assert_eq(systole_idx_read(&images, "/tmp", 1), SYSTOLE_EXIT_USAGE);
}

Test(idx, refuses_a_broken_check_sum_and_a_long_file) {
  uint8_t data[Size + 1], packed[4096];
  systole_images images;
  build(data);
  data[Size] = 0;
  save(data, Size + 1, 0);
  cr_assert_eq(systole_idx_read(&images, path, Count), SYSTOLE_EXIT_USAGE);
  cr_assert_not_null(strstr(systole_story_text(), "goes on"));
  save(data, Size, 1);
  FILE *file = fopen(path, "rb");
  const size_t packed_size = fread(packed, 1, sizeof packed, file);
  fclose(file);
  packed[packed_size - 6] ^= 1;
  save(packed, packed_size, 0);
  cr_assert_eq(systole_idx_read(&images, path, Count), SYSTOLE_EXIT_USAGE);
  cr_assert_not_null(strstr(systole_story_text(), "damaged"));
}

Test(idx, a_lying_header_costs_no_memory) {
  uint8_t data[Size];
  systole_images images;
  build(data);
  memset(data + 4, 0xff, 4); /* four billion images of 65535 x 65535 */
  data[10] = data[11] = data[14] = data[15] = 0xff;
  save(data, Size, 0);
  cr_assert_eq(systole_idx_read(&images, path, 2), SYSTOLE_EXIT_USAGE);
  cr_assert_not_null(strstr(systole_story_text(), "truncated"), "%s",
                     systole_story_text());
}

Test(digits, look_like_ink_on_paper_and_differ) {
  uint8_t first[SystoleDigitPixels], again[SystoleDigitPixels], other[SystoleDigitPixels];
  for (uint64_t index = 0; index < 200; index++) {
    int ink = 0, edge = 0, full = 0;
    systole_digit_draw(first, 3, index);
    for (int row = 0; row < SystoleDigitSide; row++) {
      for (int col = 0; col < SystoleDigitSide; col++) {
        const int value = first[row * SystoleDigitSide + col];
        ink += value > 127;
        full |= value == 255;
        if (row == 0 || col == 0 || row == SystoleDigitSide - 1 ||
            col == SystoleDigitSide - 1) {
          edge += value;
        }
      }
    }
    cr_assert(full, "picture %d", (int)index);
    cr_assert_gt(ink, 25, "picture %d has %d dark pixels", (int)index, ink);
    cr_assert_lt(ink, 350, "picture %d has %d dark pixels", (int)index, ink);
    cr_assert_eq(edge, 0, "picture %d leaves the frame", (int)index);
  }
  systole_digit_draw(first, 1, 4);
  systole_digit_draw(again, 1, 4);
  systole_digit_draw(other, 2, 4);
  cr_assert_arr_eq(first, again, SystoleDigitPixels);
  cr_assert(memcmp(first, other, SystoleDigitPixels) != 0);
  systole_digit_draw(other, 1, 14);
  cr_assert(memcmp(first, other, SystoleDigitPixels) != 0);
}

/* The mean picture of each digit, and every picture's nearest mean: digits that one can
 * tell apart are found again far more often than one time in ten. */
Test(digits, can_be_told_apart) {
  enum { Each = 20 };
  static double mean[10][SystoleDigitPixels];
  uint8_t picture[SystoleDigitPixels];
  for (uint64_t i = 0; i < 10 * Each; i++) {
    systole_digit_draw(picture, 11, i);
    for (int p = 0; p < SystoleDigitPixels; p++)
      mean[i % 10][p] += picture[p] / (double)Each;
  }
  int right = 0;
  for (uint64_t i = 1000; i < 1000 + 10 * Each; i++) {
    double best = 1e30;
    uint64_t chosen = 10;
    systole_digit_draw(picture, 11, i);
    for (uint64_t d = 0; d < 10; d++) {
      double distance = 0;
      for (int p = 0; p < SystoleDigitPixels; p++) {
        distance += (picture[p] - mean[d][p]) * (picture[p] - mean[d][p]);
      }
      if (distance < best) {
        best = distance;
        chosen = d;
      }
    }
    right += chosen == i % 10;
  }
  cr_assert_gt(right, 140, "%d of 200", right);
}
