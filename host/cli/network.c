#include "network.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "digits.h"
#include "idx.h"
#include "number.h"
#include "operands.h"
#include "story.h"
#include "streams.h"

enum { Layers = 3, Classes = 10, ShownPictures = 12, ZeroPoint = -128 };

static int load_pictures(systole_images *images,
                         const systole_workload_request *request) {
  if (request->images != NULL) {
    return systole_idx_read(images, request->images, request->batch);
  }
  uint64_t bytes = 0;
  int code = systole_bytes_of(&bytes, request->batch, SystoleDigitPixels, 1, "the batch");
  if (code == 0) code = systole_memory_check(bytes, "the batch");
  if (code != 0) return code;
  images->pixels = malloc(bytes + 1);
  if (images->pixels == NULL)
    return systole_story_errno(ENOMEM, "cannot draw the digits");
  images->count = request->batch;
  images->rows = SystoleDigitSide;
  images->cols = SystoleDigitSide;
  for (int64_t i = 0; i < request->batch; i++) {
    systole_digit_draw(images->pixels + i * SystoleDigitPixels, request->seed,
                       (uint64_t)i);
  }
  return 0;
}

static int keep_pictures(systole_workload *out, const systole_images *images) {
  if (images->rows != images->cols || images->rows > 64) return 0;
  out->picture_side = (int)images->rows;
  out->picture_count = images->count < ShownPictures ? (int)images->count : ShownPictures;
  const size_t bytes = (size_t)out->picture_count * (size_t)(images->rows * images->cols);
  out->pictures = malloc(bytes + 1);
  if (out->pictures == NULL)
    return systole_story_errno(ENOMEM, "cannot keep the pictures");
  memcpy(out->pictures, images->pixels, bytes);
  return 0;
}

/* For cycles alone: the layers' sizes, and which of them requantise. */
static int open_sizes(systole_workload *out, const systole_workload_request *request) {
  const int64_t sizes[Layers + 1] = {SystoleDigitPixels, request->hidden, request->hidden,
                                     Classes};
  const systole_epilogue defaults = SYSTOLE_EPILOGUE_INIT;
  out->items = calloc(Layers, sizeof *out->items);
  if (out->items == NULL) return systole_story_errno(ENOMEM, "cannot hold the network");
  for (size_t layer = 0; layer < Layers; layer++) {
    systole_item *item = &out->items[out->count++];
    const int64_t k = sizes[layer], n = sizes[layer + 1];
    snprintf(item->label, sizeof item->label, "layer %zu: %" PRId64 " to %" PRId64,
             layer + 1, k, n);
    uint64_t bytes = 0;
    int code = systole_bytes_of(&bytes, n, 1, 9, "the network");
    if (code == 0) code = systole_memory_check(bytes, "the network");
    if (code != 0) return code;
    item->bias = calloc((size_t)n + 1, sizeof *item->bias);
    item->multiplier = calloc((size_t)n + 1, sizeof *item->multiplier);
    item->shift = calloc((size_t)n + 1, 1);
    if (item->bias == NULL || item->multiplier == NULL || item->shift == NULL) {
      return systole_story_errno(ENOMEM, "cannot hold the network");
    }
    item->epilogue = defaults;
    item->epilogue.bias = item->bias;
    if (layer + 1 < Layers) {
      item->epilogue.multiplier = item->multiplier;
      item->epilogue.shift = item->shift;
    }
    item->job =
        (systole_job){.m = request->batch, .n = n, .k = k, .epilogue = &item->epilogue};
  }
  snprintf(out->title, sizeof out->title,
           "network %" PRId64 "-%" PRId64 "-%" PRId64 "-%d, batch %" PRId64
           ", timing only",
           sizes[0], sizes[1], sizes[2], (int)Classes, request->batch);
  return 0;
}

int systole_network_open(systole_workload *out, const systole_workload_request *request) {
  if (request->no_data) return open_sizes(out, request);
  systole_images images = {0};
  int code = load_pictures(&images, request);
  if (code != 0) return code;
  const int64_t inputs = images.rows * images.cols;
  const int64_t sizes[Layers + 1] = {inputs, request->hidden, request->hidden, Classes};

  /* Both hidden layers' weights dominate. */
  uint64_t bytes = 0;
  code = systole_bytes_of(&bytes, request->hidden + inputs + Classes, request->hidden, 3,
                          "the network");
  if (code == 0) code = systole_memory_check(bytes, "the network");
  if (code == 0) code = keep_pictures(out, &images);
  out->items = code == 0 ? calloc(Layers, sizeof *out->items) : NULL;
  if (code == 0 && out->items == NULL) {
    code = systole_story_errno(ENOMEM, "cannot hold the network");
  }
  if (code == 0) out->count = Layers;
  for (size_t layer = 0; code == 0 && layer < Layers; layer++) {
    systole_item *item = &out->items[layer];
    const int64_t k = sizes[layer], n = sizes[layer + 1];
    code = systole_item_reserve(item, request->batch, n, k);
    if (code != 0) break;
    snprintf(item->label, sizeof item->label, "layer %zu: %" PRId64 " to %" PRId64,
             layer + 1, k, n);
    systole_draw_s8(item->b, (uint64_t)k * (uint64_t)n, request->seed,
                    SYSTOLE_STREAM_B + 10 * (uint64_t)layer);
  }
  if (code == 0) {
    const size_t count = (size_t)request->batch * (size_t)inputs;
    for (size_t i = 0; i < count; i++) {
      out->items[0].a[i] = (int8_t)((int)images.pixels[i] - 128);
    }
    snprintf(out->title, sizeof out->title,
             "network %" PRId64 "-%" PRId64 "-%" PRId64 "-%d, batch %" PRId64 ", %s",
             inputs, request->hidden, request->hidden, (int)Classes, request->batch,
             request->images != NULL ? "images from an IDX file"
                                     : "digits drawn from the seed");
  }
  systole_images_free(&images);
  return code;
}

/* bias[j] = -za * colsum(w)[j] + b[j], b seeded and small beside the sums. */
static void make_bias(systole_item *item, uint64_t seed, uint64_t layer) {
  systole_random random = systole_stream(seed, SYSTOLE_STREAM_BIAS + 10 * layer);
  for (int64_t j = 0; j < item->job.n; j++) {
    item->bias[j] = (int32_t)systole_random_below(&random, 8192) - 4096;
  }
  for (int64_t p = 0; p < item->job.k; p++) {
    for (int64_t j = 0; j < item->job.n; j++) {
      item->bias[j] -= ZeroPoint * item->b[p * item->job.n + j];
    }
  }
}

/* The multiplier and shift whose quotient is nearest to `scale`, 16 significant bits. */
static void encode_scale(double scale, int32_t *multiplier, uint8_t *shift) {
  int exponent = 0;
  const double mantissa =
      frexp(scale, &exponent); /* scale = mantissa 2^exponent, in [0.5, 1) */
  int bits = 16 - exponent;
  if (bits > 47) bits = 47;
  if (bits < 0) bits = 0;
  double value = nearbyint(ldexp(mantissa, exponent + bits));
  if (value > 65535) value = 65535; /* signed 17 bits */
  *multiplier = (int32_t)value;
  *shift = (uint8_t)bits;
}

static void make_scale(systole_item *item, const int32_t *raw) {
  double largest = 1;
  for (int64_t i = 0; i < item->job.m; i++) {
    for (int64_t j = 0; j < item->job.n; j++) {
      const double value = (double)raw[i * item->job.n + j] + (double)item->bias[j];
      if (value > largest) largest = value;
    }
  }
  int32_t multiplier;
  uint8_t shift;
  encode_scale(255.0 / largest, &multiplier, &shift);
  for (int64_t j = 0; j < item->job.n; j++) {
    item->multiplier[j] = multiplier;
    item->shift[j] = shift;
  }
}

static int solve_layer(systole_workload *workload, size_t layer, systole_device *cpu) {
  systole_item *item = &workload->items[layer];
  const int64_t m = item->job.m, n = item->job.n;
  const int last = layer + 1 == workload->count;
  const size_t outputs = (size_t)m * (size_t)n;
  int32_t *raw = malloc(outputs * sizeof *raw + 1);
  int code = raw != NULL ? 0 : systole_story_errno(ENOMEM, "cannot compute the network");
  item->bias = calloc((size_t)n + 1, sizeof *item->bias);
  if (code == 0 && item->bias == NULL)
    code = systole_story_errno(ENOMEM, "no room for the bias");
  if (code == 0) code = systole_item_raw(item, cpu, raw);
  if (code != 0) goto done;

  const systole_epilogue defaults = SYSTOLE_EPILOGUE_INIT;
  item->epilogue = defaults;
  make_bias(item, workload->seed, layer);
  item->epilogue.bias = item->bias;
  item->job.epilogue = &item->epilogue;
  if (last) {
    for (size_t i = 0; i < outputs; i++) {
      raw[i] = (int32_t)((uint32_t)raw[i] + (uint32_t)item->bias[i % (size_t)n]);
    }
    item->expected = raw;
    raw = NULL;
    goto done;
  }
  item->multiplier = calloc((size_t)n + 1, sizeof *item->multiplier);
  item->shift = calloc((size_t)n + 1, 1);
  int8_t *out = malloc(outputs + 1);
  item->expected = out;
  if (item->multiplier == NULL || item->shift == NULL || out == NULL) {
    code = systole_story_errno(ENOMEM, "cannot compute the network");
    goto done;
  }
  make_scale(item, raw);
  item->epilogue.multiplier = item->multiplier;
  item->epilogue.shift = item->shift;
  item->epilogue.zero_point = ZeroPoint;
  systole_plain_epilogue(out, raw, m, n, &item->epilogue);
  memcpy(workload->items[layer + 1].a, out, outputs);

done:
  free(raw);
  return code;
}

int systole_network_solve(systole_workload *workload, systole_device *cpu) {
  int code = 0;
  for (size_t layer = 0; code == 0 && layer < workload->count; layer++) {
    code = solve_layer(workload, layer, cpu);
  }
  return code;
}
