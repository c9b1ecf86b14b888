/* systole doctor on made-up machines: XRT, cards, rights, xbutil, passports. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "spawn.h"
#include "support/sha256.h"

static char folder[64];
static void make(void) {
  folder_make(folder);
  setenv("SYSTOLE_ROOT", folder, 1);
  unsetenv("XILINX_XRT");
  unsetenv("XCL_EMULATION_MODE");
}
static void clean(void) { folder_remove(folder); }
TestSuite(doctor, .init = make, .fini = clean, .timeout = 120);

static const char *put(const char *path, const char *text) {
  static char name[512];
  snprintf(name, sizeof name, "%s%s", folder, path);
  for (char *slash = strchr(name + strlen(folder) + 1, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    mkdir(name, 0755);
    *slash = '/';
  }
  write_file(name, text, strlen(text));
  return name;
}

static void link_to(const char *path, const char *target) {
  const char *name = put(path, "");
  cr_assert_eq(unlink(name), 0);
  cr_assert_eq(symlink(target, name), 0);
}

/* One run of the doctor; `path` is PATH, so that no xbutil of this machine answers. */
static cJSON *doctor(const char *path, const char *xclbin) {
  const spawn_options options = {.path = path};
  spoken said = xclbin == NULL
                    ? spawn(&options, "doctor", "--json", NULL)
                    : spawn(&options, "doctor", "--json", "--xclbin", xclbin, NULL);
  cJSON *object = json_of(&said);
  spoken_free(&said);
  return object;
}

/* The finding `name` whose words contain `words`; asserts that it is in `state` and that
 * its remedy has `remedy`. */
static void expect(const cJSON *object, const char *name, const char *state,
                   const char *words, const char *remedy) {
  const cJSON *entry = NULL;
  cJSON_ArrayForEach(entry, cJSON_GetObjectItem(object, "findings")) {
    const char *found = cJSON_GetObjectItem(entry, "found")->valuestring;
    const cJSON *mend = cJSON_GetObjectItem(entry, "remedy");
    if (strcmp(cJSON_GetObjectItem(entry, "name")->valuestring, name) != 0) continue;
    if (strstr(found, words) == NULL) continue;
    cr_expect_str_eq(cJSON_GetObjectItem(entry, "state")->valuestring, state, "%s: %s",
                     name, found);
    if (remedy == NULL) {
      cr_expect_null(mend, "%s: %s", name, found);
    } else {
      cr_assert_not_null(mend, "%s: %s", name, found);
      cr_expect_not_null(strstr(mend->valuestring, remedy), "%s: %s", name,
                         mend->valuestring);
    }
    return;
  }
  char *text = cJSON_Print(object);
  cr_assert_fail("no '%s' with '%s' in %s", name, words, text);
}

#define NONE "/nonexistent"
#define PCI "/sys/bus/pci/devices/"
#define USER PCI "0000:3b:00.1/"
#define MANAGE PCI "0000:3b:00.0/"
#define SHELL "xilinx_u50_gen3x16_xdma_base_5"

static void put_card(void) {
  put(PCI "0000:00:00.0/vendor", "0x8086\n");
  put(MANAGE "vendor", "0x10ee\n");
  link_to(MANAGE "driver", "../../../bus/pci/drivers/xclmgmt");
  put(USER "vendor", "0x10ee\n");
  link_to(USER "driver", "../../../bus/pci/drivers/xocl");
  put(USER "rom.u.16777216/VBNV", SHELL "\n");
  put(USER "drm/renderD128/uevent", "");
  put("/dev/dri/renderD128", "");
}

Test(doctor, a_machine_without_anything) {
  cJSON *object = doctor(NONE, NULL);
  expect(object, "XRT", "note", "not installed", "apt-get install libxrt-dev");
  expect(object, "XILINX_XRT", "note", "not set", "xrt-sim");
  expect(object, "Alveo card", "note", "none on this machine", "lspci -d 10ee:");
  cJSON_Delete(object);
}

Test(doctor, debian_needs_a_folder_for_the_driver) {
  put("/usr/lib/x86_64-linux-gnu/libxrt_coreutil.so.2.13.0", "");
  link_to("/usr/lib/x86_64-linux-gnu/libxrt_coreutil.so.2", "libxrt_coreutil.so.2.13.0");
  put("/usr/lib/x86_64-linux-gnu/libxrt_core.so.2", "");
  cJSON *object = doctor(NONE, NULL);
  expect(object, "XRT", "good", "version 2.13.0", NULL);
  expect(object, "XILINX_XRT", "note", "not set", "ln -sf /usr/lib/x86_64-linux-gnu");
  cJSON_Delete(object);
  setenv("XILINX_XRT", in(folder, "usr"), 1);
  object = doctor(NONE, NULL);
  expect(object, "XILINX_XRT", "note", "has no lib/libxrt_core.so.2", "ln -sf");
  cJSON_Delete(object);
  put("/usr/lib/libxrt_core.so.2", "");
  setenv("XCL_EMULATION_MODE", "hw_emu", 1);
  object = doctor(NONE, NULL);
  expect(object, "XILINX_XRT", "good", "/usr", NULL);
  expect(object, "XCL_EMULATION_MODE", "note", "hw_emu", "unset XCL_EMULATION_MODE");
  cJSON_Delete(object);
}

Test(doctor, amd_has_a_script_to_source) {
  put("/opt/xilinx/xrt/lib/libxrt_coreutil.so.2", "");
  put("/opt/xilinx/xrt/setup.sh", "");
  cJSON *object = doctor(NONE, NULL);
  expect(object, "XRT", "good", "/opt/xilinx/xrt/lib", NULL);
  expect(object, "XILINX_XRT", "note", "not set", "source /opt/xilinx/xrt/setup.sh");
  cJSON_Delete(object);
}

Test(doctor, a_card_in_order) {
  put_card();
  cJSON *object = doctor(NONE, NULL);
  expect(object, "card 0000:3b:00.0", "good", "driver xclmgmt", NULL);
  expect(object, "card 0000:3b:00.1", "good", "driver xocl, shell " SHELL, NULL);
  expect(object, "card 0000:3b:00.1", "good", "/dev/dri/renderD128 may be used", NULL);
  expect(object, "xbutil", "note", "not found", "libxrt-utils");
  cJSON_Delete(object);
}

Test(doctor, a_card_without_drivers_or_rights) {
  char name[256];
  put_card();
  snprintf(name, sizeof name, "%s%s", folder, MANAGE "driver");
  unlink(name);
  snprintf(name, sizeof name, "%s%s", folder, "/dev/dri/renderD128");
  unlink(name);
  cJSON *object = doctor(NONE, NULL);
  expect(object, "card 0000:3b:00.0", "note", "no driver", "modprobe xclmgmt");
  expect(object, "card 0000:3b:00.1", "note", "may not be used", "udevadm trigger");
  cJSON_Delete(object);
  if (geteuid() != 0) {
    put("/dev/dri/renderD128", "");
    chmod(name, 0);
    object = doctor(NONE, NULL);
    expect(object, "card 0000:3b:00.1", "note", "may not be used", "usermod -aG render");
    cJSON_Delete(object);
  }
  snprintf(name, sizeof name, "%s%s", folder, USER "driver");
  unlink(name);
  object = doctor(NONE, NULL);
  expect(object, "card 0000:3b:00.1", "note", "no driver has taken", "modprobe xocl");
  cJSON_Delete(object);
}

Test(doctor, a_card_fresh_from_its_box) {
  put(MANAGE "vendor", "0x10ee\n");
  cJSON *object = doctor(NONE, NULL);
  expect(object, "Alveo card", "note", "only a managing function",
         "xbmgmt program --base");
  cJSON_Delete(object);
}

Test(doctor, asks_xbutil) {
  char tools[128], path[256];
  put_card();
  const char *name = put("/tools/xbutil",
                         "#!/bin/sh\necho 'Devices present'\n"
                         "echo '[0000:3b:00.1]  :  " SHELL
                         "  user(inst=128)  No'\n"
                         "echo 'WARNING: the shell is not activated'\n");
  cr_assert_eq(chmod(name, 0755), 0);
  snprintf(tools, sizeof tools, "%s/tools", folder);
  snprintf(path, sizeof path, "%s:/usr/bin:/bin", tools);
  cJSON *object = doctor(path, NULL);
  expect(object, "xbutil", "note", "[0000:3b:00.1]", "xbutil validate");
  expect(object, "xbutil", "note", "not activated", "xbutil validate");
  cJSON_Delete(object);
  put("/tools/xbutil", "#!/bin/sh\necho 'Devices present'\n");
  object = doctor(path, NULL);
  expect(object, "xbutil", "good", "no complaint", NULL);
  cJSON_Delete(object);
  put("/tools/xbutil", "#!/bin/sh\nexit 3\n");
  object = doctor(path, NULL);
  expect(object, "xbutil", "note", "exit code 3", "by hand");
  cJSON_Delete(object);
}

Test(doctor, holds_a_passport_against_file_and_shell) {
  char text[2048], digest[SYSTOLE_SHA256_TEXT], name[256];
  uint8_t raw[SYSTOLE_SHA256_BYTES];
  put_card();
  snprintf(name, sizeof name, "%s/b/systole.xclbin", folder);
  cJSON *object = doctor(NONE, name);
  expect(object, "bitstream", "note", "cannot be read", "build_xclbin");
  cJSON_Delete(object);
  put("/b/systole.xclbin", "bits");
  object = doctor(NONE, name);
  expect(object, "bitstream", "note", "has no passport", "build_xclbin");
  cJSON_Delete(object);
  systole_sha256_of(raw, "bits", 4);
  systole_sha256_text(digest, raw);
  static const char *const shells[] = {"xilinx_u50_gen3x16_xdma_5_202210_1",
                                       "xilinx_u50_gen3x16_xdma_201920_3"};
  for (int i = 0; i < 2; i++) {
    snprintf(text, sizeof text,
             "{\"passport\":1,\"xclbin\":\"systole.xclbin\",\"sha256\":\"%s\","
             "\"platform\":\"u50\",\"shell\":\"%s\",\"tools\":{\"vivado\":\"2023.2\","
             "\"vitis\":\"2023.2\"},\"commit\":\"0123\",\"geometry\":{\"dim\":32,"
             "\"axi_bytes\":32,\"weight_ports\":1,\"ub_rows\":8192,\"acc_rows\":2048,"
             "\"weight_tiles\":8,\"features\":0,\"flat_array\":0},\"isa_version\":1,"
             "\"rtl_version\":1,\"clock_mhz\":300}",
             digest, shells[i]);
    put("/b/passport.json", text);
    object = doctor(NONE, name);
    expect(object, "bitstream", "good", "32 x 32 for u50", NULL);
    if (i == 0) {
      expect(object, "card 0000:3b:00.1", "good", "its shell is the bitstream's", NULL);
    } else {
      expect(object, "card 0000:3b:00.1", "note", "the bitstream is for",
             "xbmgmt program");
    }
    cJSON_Delete(object);
  }
  put("/b/systole.xclbin", "other bits");
  object = doctor(NONE, name);
  expect(object, "bitstream", "note", "is not the file of its passport", "build_xclbin");
  cJSON_Delete(object);
}

Test(doctor, says_it_to_people_too) {
  put_card();
  const spawn_options options = {.path = NONE};
  spoken said = spawn(&options, "doctor", NULL);
  cr_expect_not_null(strstr(said.out, "driver xocl, shell " SHELL), "%s", said.out);
  cr_expect_not_null(strstr(said.out, "-> apt-get install libxrt-dev"), "%s", said.out);
  spoken_free(&said);
}
