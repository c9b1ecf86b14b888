#include "engine/conv.h"

#include "card/systole_isa.h"
#include "support/error.h"
#include "support/memory.h"

enum { kMaxExtent = 1 << 30 }; /* of any single size: sums of a few then fit 63 bits */

typedef struct extent {
  const char *name;
  int64_t value, least;
} extent;

static systole_status check_extents(const extent *extents, int count) {
  for (int i = 0; i < count; i++) {
    const extent *e = &extents[i];
    if (e->value >= e->least && e->value <= kMaxExtent) continue;
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the %s is %lld; it must be between %lld and %d", e->name,
                        (long long)e->value, (long long)e->least, kMaxExtent);
  }
  return SYSTOLE_OK;
}

/* Windows of `kernel` taps, `dilation` apart, that fit into `size` and its padding. */
static int64_t windows(int64_t size, int64_t before, int64_t after, int64_t kernel,
                       int64_t dilation, int64_t stride) {
  int64_t room = size + before + after - ((kernel - 1) * dilation + 1);
  return room < 0 ? 0 : room / stride + 1;
}

static systole_status check_sizes(const systole_conv2d *c) {
  const extent extents[] = {
      {"batch", c->batch, 0},
      {"height", c->height, 1},
      {"width", c->width, 1},
      {"number of channels", c->channels, 1},
      {"number of output channels", c->out_channels, 1},
      {"kernel's height", c->kernel_height, 1},
      {"kernel's width", c->kernel_width, 1},
      {"vertical stride", c->stride_height, 1},
      {"horizontal stride", c->stride_width, 1},
      {"vertical dilation", c->dilation_height, 1},
      {"horizontal dilation", c->dilation_width, 1},
      {"padding on top", c->pad_top, 0},
      {"padding at the bottom", c->pad_bottom, 0},
      {"padding on the left", c->pad_left, 0},
      {"padding on the right", c->pad_right, 0},
      {"number of groups", c->groups, 1},
  };
  systole_status status = check_extents(extents, sizeof extents / sizeof extents[0]);
  if (status != SYSTOLE_OK) return status;
  if (c->channels % c->groups != 0 || c->out_channels % c->groups != 0) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "%lld groups do not divide %lld channels and %lld output channels",
        (long long)c->groups, (long long)c->channels, (long long)c->out_channels);
  }
  return SYSTOLE_OK;
}

static systole_status check_pool(const systole_conv2d *c) {
  const extent extents[] = {
      {"pool's height", c->pool_height, 1},
      {"pool's width", c->pool_width, 1},
      {"pool's vertical stride", c->pool_stride_height, 1},
      {"pool's horizontal stride", c->pool_stride_width, 1},
      {"pool's padding on top", c->pool_pad_top, 0},
      {"pool's padding at the bottom", c->pool_pad_bottom, 0},
      {"pool's padding on the left", c->pool_pad_left, 0},
      {"pool's padding on the right", c->pool_pad_right, 0},
  };
  const int count = sizeof extents / sizeof extents[0];
  const int64_t most = (1 << SYSTOLE_ACTIVATE_POOL_HEIGHT_BITS) - 1;
  if (c->pool != SYSTOLE_POOLING_MAX && c->pool != SYSTOLE_POOLING_AVERAGE) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the pool is %d; there are none (0), max (1) and average (2)",
                        (int)c->pool);
  }
  systole_status status = check_extents(extents, count);
  for (int i = 0; i < count && status == SYSTOLE_OK; i++) {
    if (extents[i].value <= most) continue;
    status = systole_fail(SYSTOLE_ERR_ARGUMENT, "the %s is %lld; the most is %lld",
                          extents[i].name, (long long)extents[i].value, (long long)most);
  }
  if (status != SYSTOLE_OK) return status;
  if (c->pool_pad_top >= c->pool_height || c->pool_pad_bottom >= c->pool_height ||
      c->pool_pad_left >= c->pool_width || c->pool_pad_right >= c->pool_width) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the pool's padding must be less than its window of %lld x %lld",
                        (long long)c->pool_height, (long long)c->pool_width);
  }
  return SYSTOLE_OK;
}

static systole_status check_residual(const systole_conv2d *c) {
  const int32_t most = (1 << (SYSTOLE_ACTIVATE_RES_MUL_BITS - 1)) - 1;
  if (c->residual_multiplier >= -most - 1 && c->residual_multiplier <= most) {
    return SYSTOLE_OK;
  }
  return systole_fail(SYSTOLE_ERR_ARGUMENT,
                      "the residual's multiplier is %d; it is a signed %d-bit number",
                      c->residual_multiplier, SYSTOLE_ACTIVATE_RES_MUL_BITS);
}

/* Every array that is meant fits into 62 bits of bytes, and the work into 63. */
static int all_fits(systole_conv_call *call) {
  const systole_conv2d *c = &call->conv;
  uint64_t in, out, kernel, bytes, macs;
  const uint64_t most = (uint64_t)1 << 62;
  int good = systole_multiply(&in, (uint64_t)c->height, (uint64_t)c->width) &&
             systole_multiply(&in, in, (uint64_t)c->channels) &&
             systole_multiply(&in, in, (uint64_t)c->batch) && in < most;
  good = good && systole_multiply(&out, (uint64_t)call->lines, (uint64_t)call->columns) &&
         systole_multiply(&out, out, (uint64_t)c->out_channels) &&
         systole_multiply(&out, out, (uint64_t)c->batch) &&
         systole_multiply(&bytes, out, sizeof(int32_t)) && bytes < most;
  good =
      good &&
      systole_multiply(&kernel, (uint64_t)c->kernel_height, (uint64_t)c->kernel_width) &&
      systole_multiply(&kernel, kernel, (uint64_t)(c->channels / c->groups)) &&
      systole_multiply(&bytes, kernel, (uint64_t)c->out_channels) && bytes < most;
  good = good && systole_multiply(&macs, out, kernel) && macs < 2 * most;
  if (good) call->macs = macs;
  return good;
}

systole_status systole_conv_call_make(systole_conv_call *out,
                                      const systole_conv2d *conv) {
  const systole_conv_call none = {0};
  *out = none;
  systole_status status = check_sizes(conv);
  if (status != SYSTOLE_OK) return status;
  systole_conv_call call = none;
  const systole_epilogue initial = SYSTOLE_EPILOGUE_INIT;
  call.conv = *conv;
  call.epilogue = conv->epilogue == NULL ? initial : *conv->epilogue;
  call.lines = windows(conv->height, conv->pad_top, conv->pad_bottom, conv->kernel_height,
                       conv->dilation_height, conv->stride_height);
  call.columns = windows(conv->width, conv->pad_left, conv->pad_right, conv->kernel_width,
                         conv->dilation_width, conv->stride_width);
  if (call.lines == 0 || call.columns == 0) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "a kernel of %lld x %lld with dilation %lld x %lld does not fit into an image of "
        "%lld x %lld with its padding",
        (long long)conv->kernel_height, (long long)conv->kernel_width,
        (long long)conv->dilation_height, (long long)conv->dilation_width,
        (long long)conv->height, (long long)conv->width);
  }
  call.out_lines = call.lines;
  call.out_columns = call.columns;
  if (conv->pool != SYSTOLE_POOLING_NONE) {
    status = check_pool(conv);
    if (status != SYSTOLE_OK) return status;
    call.out_lines = windows(call.lines, conv->pool_pad_top, conv->pool_pad_bottom,
                             conv->pool_height, 1, conv->pool_stride_height);
    call.out_columns = windows(call.columns, conv->pool_pad_left, conv->pool_pad_right,
                               conv->pool_width, 1, conv->pool_stride_width);
    if (call.out_lines == 0 || call.out_columns == 0) {
      return systole_fail(
          SYSTOLE_ERR_ARGUMENT,
          "a pool of %lld x %lld does not fit into the convolution's %lld x %lld results",
          (long long)conv->pool_height, (long long)conv->pool_width,
          (long long)call.lines, (long long)call.columns);
    }
  }
  if (conv->residual != NULL) status = check_residual(conv);
  if (status != SYSTOLE_OK) return status;
  if ((conv->residual != NULL || conv->pool != SYSTOLE_POOLING_NONE) &&
      call.epilogue.multiplier == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "a %s works on int8 results: the epilogue needs multipliers",
                        conv->residual != NULL ? "residual" : "pool");
  }
  if (!all_fits(&call)) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "this convolution's arrays are larger than any memory");
  }
  *out = call;
  return SYSTOLE_OK;
}
