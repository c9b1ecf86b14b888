#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/error.h"
#include "systole_opencl_source.h"

cl_int systole_opencl_launch(const systole_opencl_program *program,
                             cl_command_queue queue, const systole_opencl_product *p,
                             cl_event *event) {
  const char *why = "";
  const systole_opencl_runtime *cl = systole_opencl(&why);
  const struct {
    size_t size;
    const void *value;
  } arguments[] = {
      {sizeof p->m, &p->m},
      {sizeof p->n, &p->n},
      {sizeof p->n_padded, &p->n_padded},
      {sizeof p->words, &p->words},
      {sizeof p->a, &p->a},
      {sizeof p->b, &p->b},
      {sizeof p->c, &p->c}, /* as int32 and as int8; the kernel uses one of them */
      {sizeof p->c, &p->c},
      {sizeof p->requantise, &p->requantise},
      {sizeof p->bias, &p->bias},
      {sizeof p->multiplier, &p->multiplier},
      {sizeof p->shift, &p->shift},
      {sizeof p->zero_point, &p->zero_point},
      {sizeof p->clamp_low, &p->clamp_low},
      {sizeof p->clamp_high, &p->clamp_high},
  };
  for (cl_uint i = 0; i < sizeof arguments / sizeof arguments[0]; i++) {
    const cl_int code =
        cl->SetKernelArg(program->kernel, i, arguments[i].size, arguments[i].value);
    if (code != CL_SUCCESS) return code;
  }
  const size_t local[2] = {SystoleOpenclSide, SystoleOpenclSide};
  const size_t groups_m = ((size_t)p->m + SystoleOpenclTile - 1) / SystoleOpenclTile;
  const size_t global[2] = {(size_t)p->n_padded / SystoleOpenclTile * SystoleOpenclSide,
                            groups_m * SystoleOpenclSide};
  return cl->EnqueueNDRangeKernel(queue, program->kernel, 2, NULL, global, local, 0, NULL,
                                  event);
}

/* ---- the self-test ------------------------------------------------------------------
 */

enum { TestK = 4 * SystoleOpenclStep };

/* A product of one tile whose sums are as large as int8 allows, and as mixed. */
static int is_exact(const systole_opencl_program *program, cl_context context,
                    cl_command_queue queue) {
  const char *why = "";
  const systole_opencl_runtime *cl = systole_opencl(&why);
  enum { Tile = SystoleOpenclTile };
  static const int8_t values[] = {-128, 127, -128, -127, 0, 1, 127, -1, -128, -128, 85};
  int8_t a[Tile][TestK], b[TestK / 4][Tile][4];
  int32_t c[Tile][Tile], zeros[Tile] = {0};
  int exact = 0;
  for (int i = 0; i < Tile; i++) {
    for (int k = 0; k < TestK; k++) {
      /* The first rows and columns hold only -128: each product is 2^14. */
      a[i][k] = i < 2 ? -128 : values[(i * 7 + k * 3) % 11];
      b[k / 4][i][k % 4] = i < 2 ? -128 : values[(i * 5 + k * 2 + k / 11) % 11];
    }
  }
  cl_int code[4];
  cl_mem buffers[4] = {
      cl->CreateBuffer(context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof a, a,
                       &code[0]),
      cl->CreateBuffer(context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof b, b,
                       &code[1]),
      cl->CreateBuffer(context, CL_MEM_WRITE_ONLY, sizeof c, NULL, &code[2]),
      cl->CreateBuffer(context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof zeros,
                       zeros, &code[3])};
  if (code[0] != CL_SUCCESS || code[1] != CL_SUCCESS || code[2] != CL_SUCCESS ||
      code[3] != CL_SUCCESS) {
    goto done;
  }
  const systole_opencl_product product = {.m = Tile,
                                          .n = Tile,
                                          .n_padded = Tile,
                                          .words = TestK / 4,
                                          .a = buffers[0],
                                          .b = buffers[1],
                                          .c = buffers[2],
                                          .bias = buffers[3],
                                          .multiplier = buffers[3],
                                          .shift = buffers[3]};
  if (systole_opencl_launch(program, queue, &product, NULL) != CL_SUCCESS ||
      cl->EnqueueReadBuffer(queue, buffers[2], CL_TRUE, 0, sizeof c, c, 0, NULL, NULL) !=
          CL_SUCCESS) {
    goto done;
  }
  exact = 1;
  for (int i = 0; i < Tile; i++) {
    for (int j = 0; j < Tile; j++) {
      int32_t sum = 0;
      for (int k = 0; k < TestK; k++) sum += a[i][k] * b[k / 4][j][k % 4];
      exact &= c[i][j] == sum;
    }
  }
done:
  for (int i = 0; i < 4; i++) {
    if (buffers[i] != NULL) cl->ReleaseMemObject(buffers[i]);
  }
  return exact;
}

/* ---- building ------------------------------------------------------------------------
 */

typedef struct form {
  const char *name, *flags;
} form;

static cl_int build(systole_opencl_program *out, const systole_opencl_runtime *cl,
                    const systole_opencl_device *device, cl_context context,
                    const form *how) {
  const char *source = (const char *)systole_opencl_source;
  cl_int code = CL_SUCCESS;
  *out = (systole_opencl_program){.name = how->name};
  out->program = cl->CreateProgramWithSource(context, 1, &source, NULL, &code);
  if (code != CL_SUCCESS) return code;
  code = cl->BuildProgram(out->program, 1, &device->device, how->flags, NULL, NULL);
  if (code != CL_SUCCESS) return code;
  out->kernel = cl->CreateKernel(out->program, "gemm_int8", &code);
  return code;
}

systole_status systole_opencl_program_make(systole_opencl_program *out,
                                           const systole_opencl_device *device,
                                           cl_context context, cl_command_queue queue) {
  const char *why = "";
  const systole_opencl_runtime *cl = systole_opencl(&why);
  form forms[3];
  int count = 0;
  if (device->khr_dot) forms[count++] = (form){"opencl-int8-dot", "-DDOT_KHR"};
  if (device->nvidia) forms[count++] = (form){"opencl-int8-dp4a", "-DDOT_PTX"};
  forms[count++] = (form){"opencl-int8-plain", ""};
  char log[1024] = "";
  cl_int code = CL_SUCCESS;
  for (int i = 0; i < count; i++) {
    code = build(out, cl, device, context, &forms[i]);
    if (code == CL_SUCCESS && is_exact(out, context, queue)) return SYSTOLE_OK;
    if (code == CL_BUILD_PROGRAM_FAILURE) {
      cl->GetProgramBuildInfo(out->program, device->device, CL_PROGRAM_BUILD_LOG,
                              sizeof log - 1, log, NULL);
    }
    systole_opencl_program_free(out);
  }
  if (code == CL_SUCCESS) {
    return systole_fail(
        SYSTOLE_ERR_DEVICE,
        "%s computes int8 products wrongly in every form of the kernel; its "
        "driver is not to be trusted",
        device->name);
  }
  return systole_fail(SYSTOLE_ERR_DEVICE, "%s cannot build the int8 kernel: %s. %s",
                      device->name, systole_opencl_error(code), log);
}

void systole_opencl_program_free(systole_opencl_program *program) {
  const char *why = "";
  const systole_opencl_runtime *cl = systole_opencl(&why);
  if (program->kernel != NULL) cl->ReleaseKernel(program->kernel);
  if (program->program != NULL) cl->ReleaseProgram(program->program);
  program->kernel = NULL;
  program->program = NULL;
}
