#include "report/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "options.h"

/* Copies what follows "key<separator>" of the first line that begins with key. */
static void find_line(char *out, size_t size, const char *path, const char *key,
                      char separator) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return;
  char line[512];
  while (out[0] == '\0' && fgets(line, sizeof line, file) != NULL) {
    if (strncmp(line, key, strlen(key)) != 0) continue;
    const char *value = strchr(line, separator);
    if (value == NULL) continue;
    value += 1 + strspn(value + 1, " \t\"");
    size_t length = strcspn(value, "\"\n");
    if (length >= size) length = size - 1;
    memcpy(out, value, length);
    out[length] = '\0';
  }
  fclose(file);
}

void systole_machine_describe(systole_machine *out) {
  struct utsname name;
  char memory[64] = "";
  uint64_t kib = 0;
  memset(out, 0, sizeof *out);
  find_line(out->cpu, sizeof out->cpu, "/proc/cpuinfo", "model name", ':');
  find_line(out->system, sizeof out->system, "/etc/os-release", "PRETTY_NAME", '=');
  find_line(memory, sizeof memory, "/proc/meminfo", "MemTotal", ':');
  if (sscanf(memory, "%" SCNu64, &kib) == 1) out->memory_bytes = 1024 * kib;
  if (uname(&name) == 0) {
    snprintf(out->kernel, sizeof out->kernel, "%.30s %.60s %.30s", name.sysname,
             name.release, name.machine);
    if (out->cpu[0] == '\0') snprintf(out->cpu, sizeof out->cpu, "%.60s", name.machine);
  }
  out->cores = systole_threads_meant(0);
}

double systole_machine_busy_s(void) {
  unsigned long long user, nice, system, idle, waiting, irq, soft_irq, stolen;
  FILE *file = fopen("/proc/stat", "r");
  if (file == NULL) return -1;
  const int fields = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user,
                            &nice, &system, &idle, &waiting, &irq, &soft_irq, &stolen);
  fclose(file);
  const long ticks = sysconf(_SC_CLK_TCK);
  if (fields != 8 || ticks <= 0) return -1;
  return (double)(user + nice + system + irq + soft_irq + stolen) / (double)ticks;
}
