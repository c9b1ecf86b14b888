#include "conv_shapes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/conv.h"
#include "support/random.h"

enum { kGuard = 0x5C, kGuardBytes = 64 };

size_t systole_conv_shapes(systole_conv_shape out[SYSTOLE_MAX_CONV_SHAPES], int dim) {
  const int64_t d = dim;
  const systole_conv_shape table[] = {
      /* n, h, w, c, o,  kh, kw,  sh, sw, dh, dw,  top, bottom, left, right,  groups */
      {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, "one MAC"},
      {1, 1, 1, d, d, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, "one pixel through one tile"},
      {1, 4, 4, d, d, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, "one tap: a matrix product"},
      {2, 5, 3, d + 1, 2 * d - 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1,
       "a matrix product over a batch, edges padded"},
      {1, 7, 9, 2 * d, d, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1,
       "one tap with a stride: only every fourth pixel is packed"},
      {1, 5, 5, d, d, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
       "one tap with padding: no product"},
      {1, 3, 3, d, d, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 1, "one window: one output"},
      {1, 6, 7, d, d, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, "the usual kernel, halo around"},
      {1, 6, 7, 2 * d + 1, d + 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1,
       "several channel blocks, the last of them not full"},
      {2, 5, 6, d, 3 * d, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1,
       "a batch, several output blocks"},
      {1, 9, 8, d, d, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, "stride 2"},
      {1, 9, 8, d, d, 3, 3, 2, 2, 1, 1, 0, 1, 0, 1, 1, "padding on two sides only"},
      {1, 9, 11, d, d, 3, 3, 3, 1, 1, 1, 2, 0, 1, 2, 1, "strides differ, sides differ"},
      {1, 9, 9, d, d, 3, 3, 1, 1, 2, 2, 2, 2, 2, 2, 1, "dilation 2"},
      {1, 11, 13, d, 2, 3, 2, 1, 2, 3, 4, 3, 3, 2, 2, 1, "dilations differ"},
      {1, 12, 12, 3, d, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3, 1,
       "the stem: three channels, folded into lanes"},
      {1, 8, 8, 1, 5, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2, 1,
       "one channel, as of a grey picture"},
      {1, 8, 8, 3, 7, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, "three channels, stride 1"},
      {1, 9, 10, 3, 4, 3, 3, 2, 2, 2, 1, 2, 2, 1, 1, 1,
       "folded with dilation and stride"},
      {1, 3, 40, d, d, 1, 5, 1, 1, 1, 1, 0, 0, 2, 2, 1, "a flat kernel over a long line"},
      {1, 40, 3, d, d, 5, 1, 1, 1, 1, 1, 2, 2, 0, 0, 1, "an upright kernel"},
      {1, 1, 70, 2, 3, 1, 9, 1, 4, 1, 1, 0, 0, 4, 4, 1, "one dimension: sound"},
      {1, 2, 2, d, d, 3, 3, 1, 1, 1, 1, 2, 2, 2, 2, 1,
       "an image smaller than its kernel: more padding than image"},
      {1, 1, 1, d, d, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, "one pixel inside its halo"},
      {1, 2, 3, d, d, 2, 2, 1, 1, 1, 1, 4, 4, 5, 5, 1,
       "windows that lie in the padding entirely"},
      {1, 5, 5, d, d, 5, 5, 1, 1, 1, 1, 0, 0, 0, 0, 1, "a kernel as large as the image"},
      {1, 6, 5, 2 * d, 2 * d, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 2,
       "two groups of whole blocks"},
      {1, 6, 5, d, d, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, d,
       "depthwise: the diagonal of a tile"},
      {1, 6, 5, 2 * d + 2, 2 * d + 2, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 2 * d + 2,
       "depthwise, the last bundle not full, stride 2"},
      {1, 5, 5, 4, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4, "two outputs for each channel"},
      {2, 4, 5, 12, 6, 2, 3, 1, 1, 1, 1, 0, 1, 1, 1, 3, "groups that divide no block"},
      {2, 4, 5, 3, 3 * (d + 1), 2, 2, 1, 1, 1, 1, 0, 1, 1, 1, 3,
       "a bundle with fewer output blocks than its place holds"},
      {1, 4, 3, 3 * d + 3, 6, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 3,
       "groups of a matrix product, as of attention heads"},
      {3, 4, 4, d / 2, d, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1,
       "half the lanes, three images"},
      {1, 20, 17, d, 2 * d, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, "several strips"},
      {1, 4, 150, d, d, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, "long lines"},
      {1, 3, 3, 9 * d, d, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1,
       "many channels: chunks of them"},
      {1, 3, 3, d, 9 * d, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 1, "many outputs: short strips"},
  };
  const size_t count = sizeof table / sizeof table[0];
  assert(count <= SYSTOLE_MAX_CONV_SHAPES);
  for (size_t i = 0; i < count; i++) out[i] = table[i];
  return count;
}

static void *need(size_t bytes) {
  void *memory = malloc(bytes > 0 ? bytes : 1);
  if (memory == NULL) {
    fprintf(stderr, "the test needs %zu bytes more memory\n", bytes);
    abort();
  }
  return memory;
}

static int8_t *draw(systole_random *random, int64_t count) {
  int8_t *data = need((size_t)count);
  systole_random_int8(random, data, (size_t)count);
  return data;
}

/* Multipliers and shifts such that results spread over int8 and ties happen. */
static void draw_epilogue(systole_conv_case *c, systole_random *random, unsigned kinds,
                          int64_t depth) {
  const int64_t n = c->conv.out_channels;
  int log2 = 0;
  while (depth >> log2 > 1) log2++;
  c->bias = need((size_t)n * sizeof *c->bias);
  c->multiplier = need((size_t)n * sizeof *c->multiplier);
  c->shift = need((size_t)n);
  for (int64_t o = 0; o < n; o++) {
    const int large = (int)systole_random_below(random, 2);
    c->bias[o] = (int32_t)systole_random_below(random, 20001) - 10000;
    c->multiplier[o] = large ? (int32_t)systole_random_below(random, 131072) - 65536
                             : (int32_t)systole_random_below(random, 7) - 3;
    c->shift[o] =
        (uint8_t)((large ? 15 : 0) + 6 + log2 / 2 + (int)systole_random_below(random, 3));
  }
  const systole_epilogue initial = SYSTOLE_EPILOGUE_INIT;
  c->epilogue = initial;
  if (kinds & (SYSTOLE_CONV_BIAS | SYSTOLE_CONV_REQUANTISE)) {
    c->epilogue.bias = c->bias;
    c->conv.epilogue = &c->epilogue;
  }
  if (kinds & SYSTOLE_CONV_REQUANTISE) {
    c->epilogue.multiplier = c->multiplier;
    c->epilogue.shift = c->shift;
    c->epilogue.zero_point = (int8_t)(c->seed % 11) - 5;
    c->epilogue.clamp_low = -100;
    c->epilogue.clamp_high = 120;
  }
}

static void set_pool(systole_conv2d *conv, unsigned kinds) {
  if (kinds & SYSTOLE_CONV_MAX_POOL) {
    conv->pool = SYSTOLE_POOLING_MAX;
    conv->pool_height = conv->pool_width = 3;
    conv->pool_stride_height = conv->pool_stride_width = 2;
    conv->pool_pad_top = conv->pool_pad_bottom = 1;
    conv->pool_pad_left = conv->pool_pad_right = 1;
  } else if (kinds & SYSTOLE_CONV_AVERAGE_POOL) {
    conv->pool = SYSTOLE_POOLING_AVERAGE;
    conv->pool_height = conv->pool_width = 2;
    conv->pool_stride_height = conv->pool_stride_width = 2;
    conv->pool_pad_bottom = conv->pool_pad_right = 1;
  }
}

static int64_t or_one(int64_t value) { return value > 0 ? value : 1; }

void systole_conv_case_make(systole_conv_case *out, const systole_conv_shape *s,
                            unsigned kinds, uint64_t seed) {
  const systole_conv2d initial = SYSTOLE_CONV2D_INIT;
  memset(out, 0, sizeof *out);
  systole_conv2d *c = &out->conv;
  *c = initial;
  out->seed = seed;
  c->batch = or_one(s->batch);
  c->height = s->height;
  c->width = s->width;
  c->channels = s->channels;
  c->out_channels = s->out_channels;
  c->kernel_height = s->kernel_height;
  c->kernel_width = s->kernel_width;
  c->stride_height = or_one(s->stride_height);
  c->stride_width = or_one(s->stride_width);
  c->dilation_height = or_one(s->dilation_height);
  c->dilation_width = or_one(s->dilation_width);
  c->pad_top = s->top;
  c->pad_bottom = s->bottom;
  c->pad_left = s->left;
  c->pad_right = s->right;
  c->groups = or_one(s->groups);
  if (kinds & SYSTOLE_CONV_ZERO_POINT) {
    c->input_zero_point = (int8_t)((int)(seed % 251) - 125);
  }
  set_pool(c, kinds);

  systole_random random;
  systole_random_seed(&random, seed);
  const int64_t depth = c->kernel_height * c->kernel_width * (c->channels / c->groups);
  out->input = draw(&random, c->batch * c->height * c->width * c->channels);
  out->weights = draw(&random, c->out_channels * depth);
  draw_epilogue(out, &random, kinds, depth);
  systole_conv_call call;
  if (systole_conv_call_make(&call, c) != SYSTOLE_OK) {
    fprintf(stderr, "the test's shape is wrong: %s\n", systole_last_error());
    abort();
  }
  const int64_t outputs = c->batch * call.out_lines * call.out_columns * c->out_channels;
  if (kinds & SYSTOLE_CONV_RESIDUAL) {
    out->residual = draw(&random, outputs);
    c->residual = out->residual;
    c->residual_multiplier = (int32_t)systole_random_below(&random, 4001) - 2000;
    c->residual_zero_point = (int8_t)((int)systole_random_below(&random, 256) - 128);
    if (systole_conv_call_make(&call, c) != SYSTOLE_OK) abort();
  }
  out->bytes = (size_t)outputs * (systole_conv_is_s8(&call) ? 1 : 4);
  out->output = need(out->bytes + kGuardBytes);
  out->expected = need(out->bytes);
  memset(out->output, kGuard, out->bytes + kGuardBytes);
  call.input = out->input;
  call.weights = out->weights;
  call.output = out->expected;
  if (systole_conv_reference(&call) != SYSTOLE_OK) abort();
}

void systole_conv_case_free(systole_conv_case *c) {
  free(c->input);
  free(c->weights);
  free(c->residual);
  free(c->bias);
  free(c->multiplier);
  free(c->shift);
  free(c->output);
  free(c->expected);
}

static char story[1024];

static const char *tell(const systole_conv_case *c, const char *what) {
  const systole_conv2d *v = &c->conv;
  snprintf(
      story, sizeof story,
      "batch %lld, %lld x %lld x %lld -> %lld, kernel %lld x %lld, stride %lld x %lld, "
      "dilation %lld x %lld, padding %lld %lld %lld %lld, groups %lld, zero point %d, "
      "pool %d, %s%s, seed %llu: %s",
      (long long)v->batch, (long long)v->height, (long long)v->width,
      (long long)v->channels, (long long)v->out_channels, (long long)v->kernel_height,
      (long long)v->kernel_width, (long long)v->stride_height, (long long)v->stride_width,
      (long long)v->dilation_height, (long long)v->dilation_width, (long long)v->pad_top,
      (long long)v->pad_bottom, (long long)v->pad_left, (long long)v->pad_right,
      (long long)v->groups, v->input_zero_point, (int)v->pool,
      c->epilogue.multiplier != NULL ? "int8" : "int32",
      v->residual != NULL ? " with residual" : "", (unsigned long long)c->seed, what);
  return story;
}

const char *systole_conv_case_run(systole_conv_case *c, systole_device *device,
                                  systole_stats *stats) {
  static char what[512];
  memset(c->output, kGuard, c->bytes + kGuardBytes);
  const systole_status status =
      systole_conv2d_s8(device, &c->conv, c->input, c->weights, c->output, stats);
  if (status != SYSTOLE_OK) {
    snprintf(what, sizeof what, "%s", systole_last_error());
    return tell(c, what);
  }
  for (size_t i = 0; i < kGuardBytes; i++) {
    if (((uint8_t *)c->output)[c->bytes + i] != kGuard) {
      return tell(c, "it wrote beyond the output");
    }
  }
  const size_t element = c->epilogue.multiplier != NULL ? 1 : 4;
  size_t wrong = 0, first = 0;
  for (size_t at = 0; at < c->bytes; at += element) {
    if (memcmp((uint8_t *)c->output + at, (uint8_t *)c->expected + at, element) == 0) {
      continue;
    }
    if (wrong++ == 0) first = at / element;
  }
  if (wrong == 0) return NULL;
  const size_t channels = (size_t)c->conv.out_channels;
  snprintf(
      what, sizeof what,
      "%zu of %zu elements are wrong, first pixel %zu, channel %zu: %d, expected %d",
      wrong, c->bytes / element, first / channels, first % channels,
      element == 1 ? ((int8_t *)c->output)[first] : ((int32_t *)c->output)[first],
      element == 1 ? ((int8_t *)c->expected)[first] : ((int32_t *)c->expected)[first]);
  return tell(c, what);
}

static int64_t pick(systole_random *random, int64_t least, int64_t most) {
  return least + (int64_t)systole_random_below(random, (uint64_t)(most - least + 1));
}

systole_conv_shape systole_conv_shape_random(uint64_t seed, int dim, int64_t macs) {
  systole_random random;
  systole_random_seed(&random, seed * 2 + 1);
  for (;;) {
    systole_conv_shape s = {0};
    s.batch = pick(&random, 1, 2);
    s.height = pick(&random, 1, 24);
    s.width = pick(&random, 1, 24);
    s.kernel_height = pick(&random, 1, 5);
    s.kernel_width = pick(&random, 1, 5);
    s.stride_height = pick(&random, 1, 3);
    s.stride_width = pick(&random, 1, 3);
    s.dilation_height = pick(&random, 1, 3);
    s.dilation_width = pick(&random, 1, 3);
    s.top = pick(&random, 0, 3);
    s.bottom = pick(&random, 0, 3);
    s.left = pick(&random, 0, 3);
    s.right = pick(&random, 0, 3);
    s.groups = pick(&random, 0, 2) == 0 ? pick(&random, 2, dim + 2) : 1;
    const int64_t most = s.groups > 1 ? 4 : 3 * dim;
    s.channels = s.groups * pick(&random, 1, most);
    s.out_channels = s.groups * pick(&random, 1, most);
    s.why = "drawn";
    const int64_t high =
        s.height + s.top + s.bottom - ((s.kernel_height - 1) * s.dilation_height + 1);
    const int64_t wide =
        s.width + s.left + s.right - ((s.kernel_width - 1) * s.dilation_width + 1);
    if (high < 0 || wide < 0) continue;
    const int64_t work = s.batch * (high / s.stride_height + 1) *
                         (wide / s.stride_width + 1) * s.out_channels * s.kernel_height *
                         s.kernel_width * (s.channels / s.groups);
    if (work <= macs) return s;
  }
}
