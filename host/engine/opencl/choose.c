/* setenv, mkdtemp, symlink: POSIX 2008. */
#define _POSIX_C_SOURCE 200809L

#include "choose.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "support/error.h"

/* Some containers carry NVIDIA's driver without registering it: the loader then needs a
 * folder that names the library. It is read at the loader's first call, made here, and
 * only where it helps and the user has set nothing. */
static void load_with_folder(const systole_opencl_runtime *cl, const char *library) {
  char folder[] = "/tmp/systole-opencl-XXXXXX";
  char paths[SystoleOpenclDevices + 1][320];
  int count = 0;
  if (mkdtemp(folder) == NULL) return;
  snprintf(paths[count++], sizeof paths[0], "%s/nvidia.icd", folder);
  FILE *file = fopen(paths[0], "w");
  if (file != NULL) {
    fprintf(file, "%s\n", library);
    fclose(file);
  }
  DIR *others = opendir("/etc/OpenCL/vendors");
  for (struct dirent *entry; others != NULL && count <= SystoleOpenclDevices &&
                             (entry = readdir(others)) != NULL;) {
    if (entry->d_name[0] == '.') continue;
    char from[320];
    snprintf(from, sizeof from, "/etc/OpenCL/vendors/%.200s", entry->d_name);
    snprintf(paths[count], sizeof paths[0], "%s/%.200s", folder, entry->d_name);
    if (symlink(from, paths[count]) == 0) count++;
  }
  if (others != NULL) closedir(others);
  cl_uint platforms = 0;
  setenv("OCL_ICD_VENDORS", folder, 1);
  cl->GetPlatformIDs(0, NULL, &platforms);
  unsetenv("OCL_ICD_VENDORS");
  for (int i = 0; i < count; i++) unlink(paths[i]);
  rmdir(folder);
}

static void first_call(void) {
  static const char *const libraries[] = {
      "/usr/local/nvidia/lib64/libnvidia-opencl.so.1",
      "/usr/lib/x86_64-linux-gnu/libnvidia-opencl.so.1"};
  const char *why = "";
  const systole_opencl_runtime *cl = systole_opencl(&why);
  if (cl == NULL || getenv("OCL_ICD_VENDORS") != NULL ||
      access("/etc/OpenCL/vendors/nvidia.icd", R_OK) == 0) {
    return;
  }
  for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
    if (access(libraries[i], R_OK) != 0) continue;
    load_with_folder(cl, libraries[i]);
    return;
  }
}

static pthread_once_t called = PTHREAD_ONCE_INIT;
static void describe(const systole_opencl_runtime *cl, systole_opencl_device *out) {
  char *extensions = NULL;
  size_t size = 0;
  cl->GetPlatformInfo(out->platform, CL_PLATFORM_NAME, sizeof out->platform_name - 1,
                      out->platform_name, NULL);
  cl->GetDeviceInfo(out->device, CL_DEVICE_NAME, sizeof out->name - 1, out->name, NULL);
  cl->GetDeviceInfo(out->device, CL_DEVICE_TYPE, sizeof out->type, &out->type, NULL);
  cl->GetDeviceInfo(out->device, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof out->units,
                    &out->units, NULL);
  cl->GetDeviceInfo(out->device, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof out->largest_buffer,
                    &out->largest_buffer, NULL);
  if (cl->GetDeviceInfo(out->device, CL_DEVICE_EXTENSIONS, 0, NULL, &size) ==
          CL_SUCCESS &&
      (extensions = calloc(1, size + 1)) != NULL) {
    cl->GetDeviceInfo(out->device, CL_DEVICE_EXTENSIONS, size, extensions, NULL);
    out->khr_dot = strstr(extensions, "cl_khr_integer_dot_product") != NULL;
    out->nvidia = strstr(extensions, "cl_nv_") != NULL;
    free(extensions);
  }
  out->functional = (out->type & CL_DEVICE_TYPE_CPU) != 0;
}

static int rank(const systole_opencl_device *device) {
  if (device->type & CL_DEVICE_TYPE_GPU) return 0;
  return device->type & CL_DEVICE_TYPE_ACCELERATOR ? 1 : 2;
}

int systole_opencl_devices(systole_opencl_device out[SystoleOpenclDevices],
                           const char **why) {
  cl_platform_id platforms[SystoleOpenclDevices];
  cl_uint platform_count = 0;
  int count = 0;
  pthread_once(&called, first_call);
  const systole_opencl_runtime *cl = systole_opencl(why);
  if (cl == NULL) return 0;
  *why =
      "libOpenCL is here and offers no device; install the driver of your GPU "
      "(intel-opencl-icd, mesa-opencl-icd, NVIDIA's), or pocl-opencl-icd to test on the "
      "CPU";
  if (cl->GetPlatformIDs(SystoleOpenclDevices, platforms, &platform_count) !=
      CL_SUCCESS) {
    return 0;
  }
  if (platform_count > SystoleOpenclDevices) platform_count = SystoleOpenclDevices;
  for (cl_uint p = 0; p < platform_count; p++) {
    cl_device_id devices[SystoleOpenclDevices];
    cl_uint found = 0;
    if (cl->GetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, SystoleOpenclDevices, devices,
                         &found) != CL_SUCCESS) {
      continue;
    }
    if (found > SystoleOpenclDevices) found = SystoleOpenclDevices;
    for (cl_uint d = 0; d < found && count < SystoleOpenclDevices; d++) {
      cl_bool compiler = CL_FALSE;
      cl->GetDeviceInfo(devices[d], CL_DEVICE_COMPILER_AVAILABLE, sizeof compiler,
                        &compiler, NULL);
      if (!compiler) continue; /* FPGA cards take binaries only */
      systole_opencl_device device = {.platform = platforms[p], .device = devices[d]};
      describe(cl, &device);
      int at = count++;
      for (; at > 0 && rank(&out[at - 1]) > rank(&device); at--) out[at] = out[at - 1];
      out[at] = device;
    }
  }
  if (count > 0) *why = "";
  return count;
}

static int contains(const char *text, const char *what) {
  const size_t length = strlen(what);
  for (; *text != '\0'; text++) {
    if (strncasecmp(text, what, length) == 0) return 1;
  }
  return 0;
}

systole_status systole_opencl_choose(systole_opencl_device *out, const char *what) {
  systole_opencl_device devices[SystoleOpenclDevices];
  const char *why = "";
  const int count = systole_opencl_devices(devices, &why);
  if (count == 0) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND, "no OpenCL device can be used: %s", why);
  }
  for (int i = 0; i < count; i++) {
    if (what == NULL || contains(devices[i].name, what) ||
        contains(devices[i].platform_name, what)) {
      *out = devices[i];
      return SYSTOLE_OK;
    }
  }
  char names[512] = "";
  size_t used = 0;
  for (int i = 0; i < count && used < sizeof names; i++) {
    used +=
        (size_t)snprintf(names + used, sizeof names - used, "%s%s (%s)",
                         i > 0 ? ", " : "", devices[i].name, devices[i].platform_name);
  }
  return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                      "no OpenCL device or platform has '%s' in its name; here are: %s",
                      what, names);
}

/* cl_khr_pci_bus_info; cl_nv_device_attribute_query; cl_amd_device_attribute_query. */
enum {
  PciBusInfoKhr = 0x410F,
  PciBusNv = 0x4008,
  PciSlotNv = 0x4009,
  TopologyAmd = 0x4037,
  TopologyTypePcie = 1
};

void systole_opencl_draws(const systole_opencl_runtime *cl,
                          const systole_opencl_device *device, systole_energy_of *of,
                          char address[SYSTOLE_ENERGY_ADDRESS]) {
  cl_uint khr[4] = {0}, bus = 0, slot = 0;
  struct {
    cl_uint type;
    unsigned char unused[17], bus, device, function;
  } amd;
  address[0] = '\0';
  *of = device->functional ? SYSTOLE_ENERGY_OF_CPU : SYSTOLE_ENERGY_OF_GPU;
  if (device->functional) return;
  memset(&amd, 0, sizeof amd);
  const cl_device_id id = device->device;
  if (cl->GetDeviceInfo(id, PciBusInfoKhr, sizeof khr, khr, NULL) == CL_SUCCESS) {
    (void)snprintf(address, SYSTOLE_ENERGY_ADDRESS, "%04x:%02x:%02x.%x", khr[0], khr[1],
                   khr[2], khr[3]);
  } else if (cl->GetDeviceInfo(id, PciBusNv, sizeof bus, &bus, NULL) == CL_SUCCESS &&
             cl->GetDeviceInfo(id, PciSlotNv, sizeof slot, &slot, NULL) == CL_SUCCESS) {
    (void)snprintf(address, SYSTOLE_ENERGY_ADDRESS, "0000:%02x:%02x.0", bus, slot);
  } else if (cl->GetDeviceInfo(id, TopologyAmd, sizeof amd, &amd, NULL) == CL_SUCCESS &&
             amd.type == TopologyTypePcie) {
    (void)snprintf(address, SYSTOLE_ENERGY_ADDRESS, "0000:%02x:%02x.%x", amd.bus,
                   amd.device, amd.function);
  }
}
