#include "conv_task.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"
#include "operands.h"
#include "options.h"
#include "signals.h"
#include "story.h"
#include "streams.h"
#include "support/clock.h"

/* MACs that the plain loops may have, by systole_conv_check. */
static const double plain_limits[] = {2.5e8, 1.5e7};
enum { MaxRuns = 1000 };

int systole_conv_task_is_s8(const systole_conv_task *task) {
  return task->multiplier != NULL;
}

size_t systole_conv_task_bytes(const systole_conv_task *task) {
  return (size_t)task->outputs * (systole_conv_task_is_s8(task) ? 1 : sizeof(int32_t));
}

static int64_t windows(int64_t size, int64_t pads, int64_t kernel, int64_t dilation,
                       int64_t stride) {
  return (size + pads - (kernel - 1) * dilation - 1) / stride + 1;
}

int systole_conv_task_size(systole_conv_task *task, int int8_results) {
  systole_conv2d *c = &task->conv;
  /* The size of a pool's output does not depend on the multipliers, which are drawn
   * later; the check that they are there is for the library's callers. */
  systole_epilogue epilogue = SYSTOLE_EPILOGUE_INIT;
  const int32_t one = 1;
  if (int8_results) epilogue.multiplier = &one;
  systole_conv2d sizes = *c;
  sizes.epilogue = &epilogue;
  int code =
      systole_story_of(systole_conv2d_output(&task->out_height, &task->out_width, &sizes),
                       "this convolution cannot be");
  if (code != 0) return code;
  const int64_t in_group = c->channels / c->groups;
  const int64_t lines = windows(c->height, c->pad_top + c->pad_bottom, c->kernel_height,
                                c->dilation_height, c->stride_height);
  const int64_t columns = windows(c->width, c->pad_left + c->pad_right, c->kernel_width,
                                  c->dilation_width, c->stride_width);
  task->outputs = (uint64_t)(c->batch * task->out_height * task->out_width) *
                  (uint64_t)c->out_channels;
  task->job.m = c->batch * lines * columns;
  task->job.n = c->out_channels;
  task->job.k = c->kernel_height * c->kernel_width * in_group;
  if (task->no_data) return 0;
  /* Operands, the output three times (the device's, the CPU's, its sums), and as much
   * again in the simulated device. */
  const double input = (double)(c->batch * c->height * c->width) * (double)c->channels;
  const double weights = (double)task->job.k * (double)c->out_channels;
  const double outputs = (double)task->job.m * (double)c->out_channels;
  return systole_memory_check((uint64_t)(2 * input + 3 * weights + 16 * outputs),
                              "this convolution");
}

static int draw_operand(int8_t **out, uint64_t count, uint64_t seed, uint64_t stream) {
  if (*out != NULL) return 0;
  *out = malloc(count + 1);
  if (*out == NULL) return systole_story_errno(ENOMEM, "cannot hold the operands");
  systole_draw_s8(*out, count, seed, stream);
  return 0;
}

/* scale ~ multiplier / 2^shift with 15 bits of multiplier. */
static void split_scale(int32_t *multiplier, uint8_t *shift, double scale) {
  int exponent;
  const double mantissa = frexp(scale, &exponent); /* 0.5 <= mantissa < 1 */
  int places = 15 - exponent;
  double value = ldexp(mantissa, 15);
  while (places > 47) { /* the largest shift */
    value /= 2;
    places--;
  }
  while (places < 0) {
    value *= 2;
    places++;
  }
  *multiplier = (int32_t)lrint(fmin(value, 65535));
  *shift = (uint8_t)places;
}

static int draw_epilogue(systole_conv_task *task, const systole_conv_extras *extras,
                         uint64_t seed) {
  const int64_t n = task->conv.out_channels;
  systole_random random = systole_stream(seed, SYSTOLE_STREAM_BIAS);
  /* Sums of k products of values with a deviation of 74 each. */
  const double deviation = 74.0 * 74.0 * sqrt((double)task->job.k + 1);
  double window = 1;
  if (task->conv.pool == SYSTOLE_POOLING_AVERAGE) {
    window = (double)(task->conv.pool_height * task->conv.pool_width);
  }
  if (extras->bias || extras->requantise) {
    task->bias = malloc((size_t)n * sizeof *task->bias);
    if (task->bias == NULL) return systole_story_errno(ENOMEM, "cannot hold the bias");
    for (int64_t o = 0; o < n; o++) {
      const double value = (systole_random_unit(&random) - 0.5) * deviation;
      task->bias[o] = (int32_t)lrint(value);
    }
    task->epilogue.bias = task->bias;
    task->conv.epilogue = &task->epilogue;
  }
  if (!extras->requantise) return 0;
  task->multiplier = malloc((size_t)n * sizeof *task->multiplier);
  task->shift = malloc((size_t)n);
  if (task->multiplier == NULL || task->shift == NULL) {
    return systole_story_errno(ENOMEM, "cannot hold the multipliers");
  }
  for (int64_t o = 0; o < n; o++) {
    const double spread = 40.0 * (0.75 + 0.5 * systole_random_unit(&random));
    split_scale(&task->multiplier[o], &task->shift[o], spread / (deviation * window));
  }
  /* One shift serves a column's product and the residual's, so all columns share the
   * last one drawn, and the residual comes in at about its own size. */
  if (extras->residual) {
    for (int64_t o = 0; o < n; o++) {
      const int by = task->shift[o] > 14 ? task->shift[o] - 14 : 0;
      task->multiplier[o] >>= by;
      if (task->multiplier[o] == 0) task->multiplier[o] = 1;
      task->shift[o] = (uint8_t)(task->shift[o] - by);
    }
  }
  task->epilogue.multiplier = task->multiplier;
  task->epilogue.shift = task->shift;
  if (extras->relu && task->epilogue.clamp_low < task->epilogue.zero_point) {
    task->epilogue.clamp_low = task->epilogue.zero_point;
  }
  return 0;
}

int systole_conv_task_draw(systole_conv_task *task, const systole_conv_extras *extras,
                           uint64_t seed) {
  /* A residual that is there, and that nobody looks at. */
  static const int8_t some_residual;
  systole_conv2d *c = &task->conv;
  if (extras->no_data) {
    if (extras->residual) {
      c->residual = &some_residual;
      c->residual_multiplier = 1;
    }
    return draw_epilogue(task, extras, seed);
  }
  int code = draw_operand(
      &task->input, (uint64_t)(c->batch * c->height * c->width) * (uint64_t)c->channels,
      seed, SYSTOLE_STREAM_A);
  if (code == 0) {
    code = draw_operand(&task->weights, (uint64_t)(task->job.k * c->out_channels), seed,
                        SYSTOLE_STREAM_B);
  }
  if (code == 0) code = draw_epilogue(task, extras, seed);
  if (code == 0 && extras->residual) {
    code = draw_operand(&task->residual, task->outputs, seed, SYSTOLE_STREAM_RESIDUAL);
    c->residual = task->residual;
    c->residual_multiplier = 1 << 13; /* half of 2^14: see draw_epilogue */
  }
  return code;
}

void systole_conv_task_free(systole_conv_task *task) {
  free(task->input);
  free(task->weights);
  free(task->residual);
  free(task->bias);
  free(task->multiplier);
  free(task->shift);
  memset(task, 0, sizeof *task);
}

static int failed(systole_status status, const char *device,
                  const systole_conv_task *task) {
  const systole_conv2d *c = &task->conv;
  if (status == SYSTOLE_ERR_INTERRUPTED) return systole_interrupted_story();
  return systole_story_of(status,
                          "%s failed on %" PRId64 " x %" PRId64 " x %" PRId64
                          " x %" PRId64 " into %" PRId64 " channels, kernel %" PRId64
                          " x %" PRId64,
                          device, c->batch, c->height, c->width, c->channels,
                          c->out_channels, c->kernel_height, c->kernel_width);
}

static int run_once(systole_samples *samples, const systole_station *station,
                    const systole_conv_task *task, void *output) {
  systole_stats stats;
  memset(&stats, 0, sizeof stats);
  const systole_status status = systole_conv2d_s8(
      station->device, &task->conv, task->input, task->weights, output, &stats);
  if (status != SYSTOLE_OK) {
    return failed(status, systole_device_name(station->device), task);
  }
  return systole_samples_add(samples, &stats);
}

int systole_conv_task_measure(systole_samples *samples, const systole_station *station,
                              const systole_conv_task *task, void *output, int repeat,
                              double budget_s) {
  const int varies = systole_station_varies(station);
  int code = 0;
  if (varies) { /* a warm-up: libraries compile and start threads */
    systole_samples warm = {0};
    code = run_once(&warm, station, task, output);
    systole_samples_free(&warm);
  } else if (repeat == 0) {
    repeat = 1;
  }
  const double started = systole_wall_seconds();
  for (int run = 0; code == 0 && (repeat > 0 ? run < repeat : run < MaxRuns); run++) {
    if (repeat == 0 && run > 0 && systole_wall_seconds() - started > budget_s) break;
    code = run_once(samples, station, task, output);
    if (code == 0 && systole_interrupted()) code = systole_interrupted_story();
  }
  return code;
}

/* Ctrl-C ends a check, too. */
static int stop_asked(void *user, uint64_t done, uint64_t total) {
  (void)user;
  (void)done;
  (void)total;
  return systole_interrupted();
}

static int compute(void *output, const char **kernel, const systole_conv_task *task,
                   const char *name) {
  systole_device *device = NULL;
  const systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  systole_stats stats;
  int code = systole_open(&device, name, &options);
  if (code == 0) {
    systole_device_set_progress(device, stop_asked, NULL);
    const systole_status status = systole_conv2d_s8(device, &task->conv, task->input,
                                                    task->weights, output, &stats);
    if (status != SYSTOLE_OK) code = failed(status, "the CPU reference", task);
    *kernel = stats.kernel;
  }
  systole_device_close(device);
  return code;
}

int systole_conv_task_solve(void *expected, const char **by,
                            const systole_conv_task *task, const char *device,
                            systole_conv_check check) {
  const double macs = (double)task->job.m * (double)task->job.n * (double)task->job.k;
  const size_t bytes = systole_conv_task_bytes(task);
  const int is_cpu = strncmp(device, "cpu", 3) == 0;
  const char *kernel = NULL;
  *by = "plain";
  /* A CPU device is compared with code that it does not share. */
  if (is_cpu) return compute(expected, &kernel, task, "cpu:plain-c");
  int code = compute(expected, &kernel, task, "cpu");
  *by = kernel;
  if (code != 0 || macs > plain_limits[check]) return code;
  void *plain = malloc(bytes + 1);
  if (plain == NULL) return systole_story_errno(ENOMEM, "cannot check the result");
  code = compute(plain, &kernel, task, "cpu:plain-c");
  if (code == 0 && memcmp(plain, expected, bytes) != 0) {
    code = systole_story(SYSTOLE_EXIT_WRONG,
                         "the CPU's references disagree: %s and the plain loops", *by);
  }
  if (code == 0 && strcmp(*by, "onednn-convolution") == 0) {
    *by = "onednn-convolution and plain";
  }
  free(plain);
  return code;
}

void systole_conv_task_compare(systole_result *result, systole_mismatch *mismatch,
                               const systole_conv_task *task, const void *output,
                               const void *expected, const char *by) {
  memset(mismatch, 0, sizeof *mismatch);
  const int64_t channels = task->conv.out_channels;
  const int64_t pixels = channels > 0 ? (int64_t)task->outputs / channels : 0;
  if (systole_conv_task_is_s8(task)) {
    systole_compare_s8(mismatch, output, expected, pixels, channels);
  } else {
    systole_compare_s32(mismatch, output, expected, pixels, channels);
  }
  result->checked = 1;
  result->checked_by = by;
  result->mismatches = mismatch->count;
}

void systole_conv_task_summarise(systole_result *result, const systole_station *station,
                                 const systole_conv_task *task,
                                 systole_samples *samples) {
  systole_summarise(result, station, &task->job, samples);
  result->has_conv = 1;
  result->conv = task->conv;
  result->conv.epilogue = NULL;
  result->out_height = task->out_height;
  result->out_width = task->out_width;
}

int systole_conv_wrong_story(const systole_result *result,
                             const systole_mismatch *mismatch,
                             const systole_conv_task *task) {
  const systole_conv2d *c = &task->conv;
  char seed[48] = "operands from files";
  if (result->has_seed) snprintf(seed, sizeof seed, "seed %" PRIu64, result->seed);
  const int64_t image = task->out_height * task->out_width;
  return systole_story(
      SYSTOLE_EXIT_WRONG,
      "wrong result on %s, %" PRId64 " x %" PRId64 " x %" PRId64 " x %" PRId64
      " into %" PRId64 " channels, kernel %" PRId64 " x %" PRId64 ", %s: %" PRIu64
      " of %" PRIu64 " elements differ from %s; the first is Y[%" PRId64 "][%" PRId64
      "][%" PRId64 "][%" PRId64 "] = %" PRId64 ", expected %" PRId64,
      result->device, c->batch, c->height, c->width, c->channels, c->out_channels,
      c->kernel_height, c->kernel_width, seed, mismatch->count, task->outputs,
      result->checked_by, mismatch->i / image, mismatch->i % image / task->out_width,
      mismatch->i % task->out_width, mismatch->j, mismatch->got, mismatch->expected);
}
