#include "workload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "layers.h"
#include "network.h"
#include "number.h"
#include "operands.h"
#include "signals.h"
#include "story.h"
#include "streams.h"

/* Squares show how throughput grows with size; the others what shape does to an array:
 * one that pads, one row (batch 1), tall, wide and deep ones, and one where nothing is
 * round. */
static const char default_sizes[] =
    "32,64,128,256,512,1024,100,1x1024x1024,4096x64x64,64x4096x64,64x64x4096,333x257x509";

enum { MaxItems = 1000 };

int systole_item_reserve(systole_item *item, int64_t m, int64_t n, int64_t k) {
  item->job = (systole_job){.m = m, .n = n, .k = k};
  item->a = malloc((size_t)m * (size_t)k + 1);
  item->b = malloc((size_t)k * (size_t)n + 1);
  item->job.a = item->a;
  item->job.b = item->b;
  if (item->a == NULL || item->b == NULL) {
    return systole_story_errno(ENOMEM, "cannot hold the operands");
  }
  return 0;
}

int systole_item_raw(systole_item *item, systole_device *cpu, int32_t *raw) {
  const systole_job *job = &item->job;
  const int64_t lda = job->k > 0 ? job->k : 1, ldb = job->n > 0 ? job->n : 1;
  systole_mismatch mismatch = {0};
  int code = systole_story_of(systole_gemm_s8(cpu, job->m, job->n, job->k, job->a, lda,
                                              job->b, ldb, raw, ldb, NULL),
                              "the CPU reference failed");
  if (code != 0) return code;
  const systole_status status = systole_check_product(
      &mismatch, &item->verified_by, raw, job->a, job->b, job->m, job->n, job->k);
  if (status == SYSTOLE_ERR_INTERRUPTED) return systole_interrupted_story();
  if (status != SYSTOLE_OK)
    return systole_story_errno(ENOMEM, "cannot check the reference");
  if (mismatch.count > 0) {
    /* The truth is still known; the CPU's own rows will show that it is wrong. */
    systole_plain_product(raw, job->a, job->b, job->m, job->n, job->k);
    item->verified_by = "plain";
  }
  return systole_interrupted() ? systole_interrupted_story() : 0;
}

/* "512" or "100x200x300" */
static int parse_shape(int64_t shape[3], const char *text) {
  char copy[96];
  snprintf(copy, sizeof copy, "%s", text);
  int count = 0, code = 0;
  char *rest = NULL;
  for (char *part = strtok_r(copy, "x", &rest); part != NULL && code == 0;
       part = strtok_r(NULL, "x", &rest)) {
    if (count == 3) {
      count = 4;
      break;
    }
    code = systole_parse_size(&shape[count++], part, "--sizes");
  }
  if (code == 0 && count == 1) shape[1] = shape[2] = shape[0];
  if (code == 0 && count != 1 && count != 3) {
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "--sizes has '%s'; write one number for a cube or MxNxK", text);
  }
  return code;
}

static int add_item(systole_workload *out, const systole_operands_request *request) {
  systole_operands operands = {0};
  const int code = systole_operands_get(&operands, request);
  if (code != 0) return code;
  systole_item *item = &out->items[out->count++];
  item->a = operands.a;
  item->b = operands.b;
  item->job = (systole_job){
      .m = operands.m, .n = operands.n, .k = operands.k, .a = item->a, .b = item->b};
  snprintf(item->label, sizeof item->label, "%" PRId64 " x %" PRId64 " x %" PRId64,
           operands.m, operands.n, operands.k);
  return 0;
}

static int open_sweep(systole_workload *out, const systole_workload_request *request) {
  const char *sizes = request->sizes != NULL ? request->sizes : default_sizes;
  char *copy = strdup(sizes);
  out->items = calloc(MaxItems, sizeof *out->items);
  int code = 0;
  if (copy == NULL || out->items == NULL) {
    code = systole_story_errno(ENOMEM, "cannot hold the workload");
    goto done;
  }
  char *rest = NULL;
  for (char *part = strtok_r(copy, ", ", &rest); part != NULL && code == 0;
       part = strtok_r(NULL, ", ", &rest)) {
    int64_t shape[3];
    if (out->count == MaxItems) {
      code = systole_story(SYSTOLE_EXIT_USAGE, "--sizes has more than %d shapes",
                           (int)MaxItems);
      break;
    }
    if ((code = parse_shape(shape, part)) != 0) break;
    const systole_operands_request operands = {.m = shape[0],
                                               .n = shape[1],
                                               .k = shape[2],
                                               .seed = request->seed + out->count,
                                               .no_data = request->no_data};
    code = add_item(out, &operands);
  }
  if (code == 0 && out->count == 0) {
    code = systole_story(SYSTOLE_EXIT_USAGE,
                         "--sizes is empty; write e.g. 64,128,100x200x300");
  }
  snprintf(out->title, sizeof out->title, "matrix products, %zu shape%s, %s", out->count,
           out->count == 1 ? "" : "s", request->no_data ? "timing only" : "random int8");

done:
  free(copy);
  return code;
}

static int open_pair(systole_workload *out, const systole_workload_request *request) {
  out->items = calloc(1, sizeof *out->items);
  if (out->items == NULL) return systole_story_errno(ENOMEM, "cannot hold the workload");
  const systole_operands_request operands = {
      .a_path = request->a_path, .b_path = request->b_path, .m = -1, .n = -1, .k = -1};
  const int code = add_item(out, &operands);
  if (code == 0) {
    snprintf(out->title, sizeof out->title, "one product of two files, %s",
             out->items[0].label);
  }
  return code;
}

static int open_layers(systole_workload *out, const systole_workload_request *request) {
  systole_layers layers;
  int code = systole_layers_open(&layers, request->name);
  if (code != 0) return code;
  snprintf(out->title, sizeof out->title, "%s", layers.title);
  out->items = calloc(layers.count, sizeof *out->items);
  if (out->items == NULL) code = systole_story_errno(ENOMEM, "cannot hold the workload");
  for (size_t i = 0; i < layers.count && code == 0; i++) {
    systole_item *item = &out->items[i];
    item->task = calloc(1, sizeof *item->task);
    if (item->task == NULL) {
      code = systole_story_errno(ENOMEM, "cannot hold the workload");
      break;
    }
    out->count++;
    snprintf(item->label, sizeof item->label, "%s", layers.layers[i].name);
    layers.layers[i].extras.no_data = request->no_data;
    code = systole_layer_task(item->task, &layers.layers[i], i, request->seed);
    item->job = item->task->job;
  }
  systole_layers_free(&layers);
  return code;
}

size_t systole_workload_drop_residuals(systole_workload *workload) {
  size_t dropped = 0;
  for (size_t i = 0; i < workload->count; i++) {
    systole_conv_task *task = workload->items[i].task;
    if (task == NULL || task->conv.residual == NULL) continue;
    task->conv.residual = NULL;
    dropped++;
  }
  return dropped;
}

/* A file of layers, by its ending. */
static int is_table(const char *name) {
  const size_t length = strlen(name);
  return length > 4 && strcmp(name + length - 4, ".csv") == 0;
}

int systole_workload_open(systole_workload *out,
                          const systole_workload_request *request) {
  memset(out, 0, sizeof *out);
  snprintf(out->name, sizeof out->name, "%s",
           is_table(request->name) ? "layers" : request->name);
  out->seed = request->seed;
  out->has_seed = !request->no_data;
  int code;
  if (strcmp(request->name, "mlp") == 0) {
    code = systole_network_open(out, request);
  } else if (systole_layers_known(request->name) || is_table(request->name)) {
    code = open_layers(out, request);
  } else if (request->a_path != NULL) {
    out->has_seed = 0;
    code = open_pair(out, request);
  } else {
    code = open_sweep(out, request);
  }
  if (code != 0) systole_workload_free(out);
  return code;
}

static int solve_task(systole_item *item) {
  item->expected = malloc(systole_conv_task_bytes(item->task) + 1);
  if (item->expected == NULL) {
    return systole_story_errno(ENOMEM, "cannot compute the reference");
  }
  const int code = systole_conv_task_solve(item->expected, &item->verified_by, item->task,
                                           "", SystoleCheckQuick);
  return code == 0 && systole_interrupted() ? systole_interrupted_story() : code;
}

static int solve_item(systole_item *item, systole_device *cpu) {
  if (item->task != NULL) return solve_task(item);
  const size_t outputs = (size_t)item->job.m * (size_t)item->job.n;
  int32_t *raw = malloc(outputs * sizeof *raw + 1);
  if (raw == NULL) return systole_story_errno(ENOMEM, "cannot compute the reference");
  item->expected = raw;
  return systole_item_raw(item, cpu, raw);
}

int systole_workload_solve(systole_workload *workload, systole_device *cpu) {
  if (strcmp(workload->name, "mlp") == 0) return systole_network_solve(workload, cpu);
  int code = 0;
  for (size_t i = 0; code == 0 && i < workload->count; i++) {
    code = solve_item(&workload->items[i], cpu);
  }
  return code;
}

static float *floats_of(const int8_t *from, int64_t rows, int64_t columns) {
  const size_t count = (size_t)rows * (size_t)columns;
  float *out = malloc(count * sizeof *out + 1);
  for (size_t i = 0; i < count && out != NULL; i++) out[i] = (float)from[i];
  return out;
}

int systole_workload_floats(systole_workload *workload) {
  for (size_t i = 0; i < workload->count; i++) {
    systole_item *item = &workload->items[i];
    systole_job *job = &item->job;
    if (item->task != NULL || item->a_f32 != NULL) continue;
    job->a_f32 = item->a_f32 = floats_of(job->a, job->m, job->k);
    job->b_f32 = item->b_f32 = floats_of(job->b, job->k, job->n);
    if (item->a_f32 == NULL || item->b_f32 == NULL) {
      return systole_story_errno(ENOMEM, "cannot hold the operands as floats");
    }
  }
  return 0;
}

void systole_workload_free(systole_workload *workload) {
  for (size_t i = 0; i < workload->count; i++) {
    systole_item *item = &workload->items[i];
    free(item->a);
    free(item->b);
    free(item->a_f32);
    free(item->b_f32);
    free(item->bias);
    free(item->multiplier);
    free(item->shift);
    free(item->expected);
    if (item->task != NULL) systole_conv_task_free(item->task);
    free(item->task);
  }
  free(workload->items);
  free(workload->pictures);
  memset(workload, 0, sizeof *workload);
}
