/* oneDNN's convolution as int32 sums. Like its matmul it passes sums through float, so a
 * sum past 2^24 comes out wrong by a few (2.6, measured: up to 8 at K = 9216). Here no
 * sum can get there: input channels are cut into slices for which 128 x the largest sum
 * of |weight| of an output channel stays below 2^24, and the slices' sums are added as
 * integers. */
#include "conv.h"

#ifdef SYSTOLE_HAVE_ONEDNN
#include <dnnl.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "onednn.h"
#include "onednn_desc.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"

enum { kExact = 1 << 24 }; /* integers up to here are floats */

int systole_onednn_conv_usable(void) {
  const char *why;
  return systole_kernel_onednn.usable(&systole_kernel_onednn, &why);
}

/* One convolution of int8 images without gaps, no padding to be made. */
typedef struct problem {
  int64_t groups, in, out; /* channels of a group */
  int64_t height, width, kernel_height, kernel_width;
  int64_t lines, columns;
  const systole_conv2d *conv;
  int64_t pad[2], pad_after[2];
} problem;

/* What oneDNN made for it. */
typedef struct made {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  memory_desc source, plain_weights, sums, any_source, any_weights;
  dnnl_primitive_desc_t what, what_reorder, what_source;
  dnnl_primitive_t convolution, reorder, reorder_source;
  dnnl_memory_t weights_in, weights_packed, source_in, source_packed, out;
} made;

static void discard(made *m) {
  dnnl_memory_t memories[] = {m->weights_in, m->weights_packed, m->source_in,
                              m->source_packed, m->out};
  dnnl_primitive_t primitives[] = {m->convolution, m->reorder, m->reorder_source};
  dnnl_primitive_desc_t descs[] = {m->what, m->what_reorder, m->what_source};
  memory_desc *layouts[] = {&m->source, &m->plain_weights, &m->sums, &m->any_source,
                            &m->any_weights};
  for (size_t i = 0; i < sizeof memories / sizeof memories[0]; i++) {
    if (memories[i] != NULL) dnnl_memory_destroy(memories[i]);
  }
  for (size_t i = 0; i < sizeof primitives / sizeof primitives[0]; i++) {
    if (primitives[i] != NULL) dnnl_primitive_destroy(primitives[i]);
    if (descs[i] != NULL) dnnl_primitive_desc_destroy(descs[i]);
  }
  for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) free_desc(layouts[i]);
  if (m->stream != NULL) dnnl_stream_destroy(m->stream);
  if (m->engine != NULL) dnnl_engine_destroy(m->engine);
}

static dnnl_status_t describe(made *m, const problem *p, int64_t weight_channels) {
  const int64_t channels = p->groups * p->in, outputs = p->groups * p->out;
  const int64_t tap = weight_channels, line = p->kernel_width * tap;
  const int64_t output = p->kernel_height * line;
  const dnnl_dims_t source = {1, channels, p->height, p->width};
  const dnnl_dims_t source_strides = {p->height * p->width * channels, 1,
                                      p->width * channels, channels};
  const dnnl_dims_t sums = {1, outputs, p->lines, p->columns};
  const dnnl_dims_t sums_strides = {p->lines * p->columns * outputs, 1,
                                    p->columns * outputs, outputs};
  const dnnl_dims_t grouped = {p->groups, p->out, p->in, p->kernel_height,
                               p->kernel_width};
  const dnnl_dims_t grouped_strides = {p->out * output, output, 1, line, tap};
  const dnnl_dims_t single = {p->out, p->in, p->kernel_height, p->kernel_width};
  const dnnl_dims_t single_strides = {output, 1, line, tap};
  const int more = p->groups > 1;
  dnnl_status_t s = make_desc(&m->source, 4, source, dnnl_s8, source_strides);
  if (s == dnnl_success) s = make_desc(&m->any_source, 4, source, dnnl_s8, NULL);
  if (s == dnnl_success) s = make_desc(&m->sums, 4, sums, dnnl_s32, sums_strides);
  if (s == dnnl_success) {
    s = more ? make_desc(&m->plain_weights, 5, grouped, dnnl_s8, grouped_strides)
             : make_desc(&m->plain_weights, 4, single, dnnl_s8, single_strides);
  }
  if (s == dnnl_success) {
    s = more ? make_desc(&m->any_weights, 5, grouped, dnnl_s8, NULL)
             : make_desc(&m->any_weights, 4, single, dnnl_s8, NULL);
  }
  if (s != dnnl_success) return s;
  const systole_conv2d *c = p->conv;
  const dnnl_dims_t strides = {c->stride_height, c->stride_width};
  const dnnl_dims_t dilations = {c->dilation_height - 1, c->dilation_width - 1};
  const dnnl_dims_t before = {p->pad[0], p->pad[1]};
  const dnnl_dims_t after = {p->pad_after[0], p->pad_after[1]};
#if DNNL_VERSION_MAJOR >= 3
  return dnnl_convolution_forward_primitive_desc_create(
      &m->what, m->engine, dnnl_forward_inference, dnnl_convolution_direct, m->any_source,
      m->any_weights, NULL, m->sums, strides, dilations, before, after, NULL);
#else
  dnnl_convolution_desc_t desc;
  s = dnnl_dilated_convolution_forward_desc_init(
      &desc, dnnl_forward_inference, dnnl_convolution_direct, &m->any_source,
      &m->any_weights, NULL, &m->sums, strides, dilations, before, after);
  return s == dnnl_success
             ? dnnl_primitive_desc_create(&m->what, &desc, NULL, m->engine, NULL)
             : s;
#endif
}

/* sums of one image; `weight_channels` is the distance of taps in `weights`. */
static dnnl_status_t convolve(const problem *p, const int8_t *input,
                              const int8_t *weights, int64_t weight_channels,
                              int32_t *sums, double *prepare_s) {
  const double began = systole_wall_seconds();
  made m;
  memset(&m, 0, sizeof m);
  dnnl_status_t s = dnnl_engine_create(&m.engine, dnnl_cpu, 0);
  if (s == dnnl_success) {
    s = dnnl_stream_create(&m.stream, m.engine, dnnl_stream_default_flags);
  }
  if (s == dnnl_success) s = describe(&m, p, weight_channels);
  if (s == dnnl_success) s = dnnl_primitive_create(&m.convolution, m.what);
  if (s != dnnl_success) goto done;
  borrowed_desc packed = dnnl_primitive_desc_query_md(m.what, dnnl_query_weights_md, 0);
  borrowed_desc source = dnnl_primitive_desc_query_md(m.what, dnnl_query_src_md, 0);
  /* oneDNN's interface takes operands that it only reads as void *. */
  s = dnnl_memory_create(&m.weights_in, BORROW(m.plain_weights), m.engine,
                         (void *)(uintptr_t)weights);
  if (s == dnnl_success) {
    s = dnnl_memory_create(&m.weights_packed, packed, m.engine, DNNL_MEMORY_ALLOCATE);
  }
  if (s == dnnl_success) {
    s = dnnl_memory_create(&m.source_in, BORROW(m.source), m.engine,
                           (void *)(uintptr_t)input);
  }
  if (s == dnnl_success) {
    s = dnnl_memory_create(&m.out, BORROW(m.sums), m.engine, sums);
  }
  if (s == dnnl_success) {
    s = make_reorder(&m.what_reorder, &m.reorder, BORROW(m.plain_weights), packed,
                     m.engine);
  }
  if (s == dnnl_success) s = move(m.reorder, m.stream, m.weights_in, m.weights_packed);
  if (s == dnnl_success) s = dnnl_stream_wait(m.stream);
  *prepare_s += systole_wall_seconds() - began;
  const int same = dnnl_memory_desc_equal(source, BORROW(m.source));
  if (s == dnnl_success && !same) {
    s = dnnl_memory_create(&m.source_packed, source, m.engine, DNNL_MEMORY_ALLOCATE);
    if (s == dnnl_success) {
      s = make_reorder(&m.what_source, &m.reorder_source, BORROW(m.source), source,
                       m.engine);
    }
    if (s == dnnl_success) {
      s = move(m.reorder_source, m.stream, m.source_in, m.source_packed);
    }
  }
  if (s == dnnl_success) {
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, same ? m.source_in : m.source_packed},
        {DNNL_ARG_WEIGHTS, m.weights_packed},
        {DNNL_ARG_DST, m.out}};
    s = dnnl_primitive_execute(m.convolution, m.stream, 3, arguments);
  }
  if (s == dnnl_success) s = dnnl_stream_wait(m.stream);
done:
  discard(&m);
  return s;
}

/* Input channels of a group that may be added in float at a time. */
static int64_t exact_channels(const systole_conv_call *call) {
  const systole_conv2d *c = &call->conv;
  const int64_t in = c->channels / c->groups, taps = c->kernel_height * c->kernel_width;
  int64_t least = in;
  for (int64_t o = 0; o < c->out_channels; o++) {
    const int8_t *w = call->weights + o * taps * in;
    int64_t all = 0;
    for (int64_t k = 0; k < taps * in; k++) all += w[k] < 0 ? -w[k] : w[k];
    if (all * 128 <= kExact) continue;
    /* By the largest weight there is: simple, and slices are still large. */
    least = kExact / (128 * 128 * taps);
    break;
  }
  return least;
}

/* The image with its padding, (of zero points), for channels first ... first + count - 1.
 */
static void pad_image(int8_t *out, const systole_conv_call *call, int64_t image,
                      int64_t first, int64_t count) {
  const systole_conv2d *c = &call->conv;
  const int64_t height = c->height + c->pad_top + c->pad_bottom;
  const int64_t width = c->width + c->pad_left + c->pad_right;
  memset(out, c->input_zero_point, (size_t)(height * width * count));
  for (int64_t y = 0; y < c->height; y++) {
    const int8_t *from =
        call->input + (image * c->height + y) * c->width * c->channels + first;
    int8_t *to = out + ((y + c->pad_top) * width + c->pad_left) * count;
    for (int64_t x = 0; x < c->width; x++) {
      memcpy(to + x * count, from + x * c->channels, (size_t)count);
    }
  }
}

static void add_sums(int32_t *to, const int32_t *from, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    to[i] = (int32_t)((uint32_t)to[i] + (uint32_t)from[i]);
  }
}

static void subtract_zero_point(const systole_conv_call *call, int32_t *sums) {
  const systole_conv2d *c = &call->conv;
  const int64_t kernel = c->kernel_height * c->kernel_width * (c->channels / c->groups);
  for (int64_t o = 0; o < c->out_channels; o++) {
    int64_t sum = 0;
    for (int64_t k = 0; k < kernel; k++) sum += call->weights[o * kernel + k];
    const uint32_t all = (uint32_t)(uint64_t)(sum * c->input_zero_point);
    for (int64_t p = 0; p < call->lines * call->columns; p++) {
      int32_t *at = &sums[p * c->out_channels + o];
      *at = (int32_t)((uint32_t)*at - all);
    }
  }
}

systole_status systole_onednn_conv(const systole_conv_call *call, int64_t image,
                                   int32_t *sums, int threads, double *prepare_s) {
  const systole_conv2d *c = &call->conv;
  const int64_t in = c->channels / c->groups;
  const int64_t slice = exact_channels(call);
  const int sliced = slice < in;
  if (!systole_onednn_conv_usable() || slice < 1 || (sliced && c->groups > 1)) {
    return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                        "oneDNN has no exact convolution for this on this machine");
  }
  const int copies = sliced || c->input_zero_point != 0;
  const int64_t height = c->height + (copies ? c->pad_top + c->pad_bottom : 0);
  const int64_t width = c->width + (copies ? c->pad_left + c->pad_right : 0);
  const int64_t count = call->lines * call->columns * c->out_channels;
  void *padded = NULL, *part = NULL;
  systole_status status = SYSTOLE_OK;
  if (copies) {
    status = systole_allocate(&padded, (uint64_t)(height * width) * (uint64_t)c->channels,
                              1, "a padded image");
  }
  if (status == SYSTOLE_OK && sliced) {
    status = systole_allocate(&part, (uint64_t)count, sizeof(int32_t), "sums");
  }
  const int before = omp_get_max_threads();
  omp_set_num_threads(threads);
  for (int64_t first = 0; first < in && status == SYSTOLE_OK; first += slice) {
    const int64_t channels = in - first < slice ? in - first : slice;
    problem p = {c->groups,
                 channels,
                 c->out_channels / c->groups,
                 height,
                 width,
                 c->kernel_height,
                 c->kernel_width,
                 call->lines,
                 call->columns,
                 c,
                 {0, 0},
                 {0, 0}};
    const int8_t *input = call->input + image * c->height * c->width * c->channels;
    if (copies) {
      pad_image(padded, call, image, first, sliced ? channels : c->channels);
      input = padded;
    } else {
      p.pad[0] = c->pad_top;
      p.pad[1] = c->pad_left;
      p.pad_after[0] = c->pad_bottom;
      p.pad_after[1] = c->pad_right;
    }
    /* oneDNN asks that the padding ends where the last window does. */
    const int64_t reach_h = (call->lines - 1) * c->stride_height +
                            (c->kernel_height - 1) * c->dilation_height + 1;
    const int64_t reach_w = (call->columns - 1) * c->stride_width +
                            (c->kernel_width - 1) * c->dilation_width + 1;
    p.pad_after[0] = reach_h - p.pad[0] - height;
    p.pad_after[1] = reach_w - p.pad[1] - width;
    int32_t *to = first == 0 ? sums : part;
    const dnnl_status_t s = convolve(&p, input, call->weights + first, in, to, prepare_s);
    if (s != dnnl_success) {
      status = systole_fail(
          s == dnnl_out_of_memory ? SYSTOLE_ERR_HOST_MEMORY : SYSTOLE_ERR_UNSUPPORTED,
          "oneDNN refused a convolution with status %d", (int)s);
    } else if (first > 0) {
      add_sums(sums, part, count);
    }
  }
  omp_set_num_threads(before);
  if (status == SYSTOLE_OK && c->input_zero_point != 0) subtract_zero_point(call, sums);
  systole_release(part);
  systole_release(padded);
  return status;
}

#else

#include "support/error.h"

int systole_onednn_conv_usable(void) { return 0; }

systole_status systole_onednn_conv(const systole_conv_call *call, int64_t image,
                                   int32_t *sums, int threads, double *prepare_s) {
  (void)call;
  (void)image;
  (void)sums;
  (void)threads;
  (void)prepare_s;
  return systole_fail(
      SYSTOLE_ERR_UNSUPPORTED,
      "this build has no oneDNN (install libdnnl-dev and configure again)");
}

#endif
