#include "engine/conv.h"

#include <string.h>

#include "library/check.h"
#include "library/device.h"
#include "support/clock.h"
#include "support/error.h"

static systole_status check_version(const systole_conv2d *conv) {
  if (conv == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "the convolution is NULL");
  }
  if (conv->version < 1 || conv->version > SYSTOLE_CONV2D_VERSION) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the convolution has version %u, this library knows 1 to %d: "
                        "initialise it with SYSTOLE_CONV2D_INIT",
                        conv->version, SYSTOLE_CONV2D_VERSION);
  }
  return SYSTOLE_OK;
}

systole_status systole_conv2d_output(int64_t *height, int64_t *width,
                                     const systole_conv2d *conv) {
  if (height == NULL || width == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "there is no place for the output's size");
  }
  *height = *width = 0;
  systole_conv_call call;
  systole_status status = check_version(conv);
  if (status == SYSTOLE_OK) status = systole_conv_call_make(&call, conv);
  if (status != SYSTOLE_OK) return status;
  *height = call.out_lines;
  *width = call.out_columns;
  return SYSTOLE_OK;
}

static systole_status check_pointers(const systole_conv_call *call) {
  if (call->input == NULL || call->weights == NULL || call->output == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "the convolution's %s is NULL",
                        call->input == NULL     ? "input"
                        : call->weights == NULL ? "weights pointer"
                                                : "output");
  }
  return SYSTOLE_OK;
}

systole_status systole_conv2d_s8(systole_device *device, const systole_conv2d *conv,
                                 const int8_t *input, const int8_t *weights, void *output,
                                 systole_stats *stats) {
  systole_stats local;
  if (stats == NULL) stats = &local;
  memset(stats, 0, sizeof *stats);
  const double wall = systole_wall_seconds(), cpu = systole_cpu_seconds();
  if (device == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the device is NULL; open one with systole_device_open");
  }
  systole_conv_call call;
  systole_status status = check_version(conv);
  if (status == SYSTOLE_OK) {
    status = systole_check_epilogue(conv->epilogue,
                                    conv->out_channels > 0 ? conv->out_channels : 0);
  }
  if (status == SYSTOLE_OK) status = systole_conv_call_make(&call, conv);
  if (status != SYSTOLE_OK || conv->batch == 0) return status;
  call.input = input;
  call.weights = weights;
  call.output = output;
  if (!systole_device_timing_only(device)) status = check_pointers(&call);
  if (status == SYSTOLE_OK && device->ops->conv2d == NULL) {
    status = systole_fail(SYSTOLE_ERR_UNSUPPORTED, "%s computes no convolutions",
                          systole_device_name(device));
  }
  if (status == SYSTOLE_OK) {
    status = device->ops->conv2d(device->engine, &call, stats);
  }
  stats->macs = call.macs;
  stats->wall_s = systole_wall_seconds() - wall;
  stats->cpu_s = systole_cpu_seconds() - cpu;
  if (stats->seconds <= 0.0) stats->seconds = stats->wall_s;
  if (stats->gops <= 0.0 && stats->seconds > 0.0) {
    stats->gops = 2e-9 * (double)call.macs / stats->seconds;
  }
  return status;
}
