/* One function per subcommand; argv[0] is the subcommand's name. Returns an exit code;
 * any but 0 has a story (1, a wrong result, as well). */
#ifndef SYSTOLE_CLI_SUBCOMMANDS_H
#define SYSTOLE_CLI_SUBCOMMANDS_H

int systole_main_devices(int argc, char **argv);
int systole_main_gemm(int argc, char **argv);
int systole_main_conv(int argc, char **argv);
int systole_main_compare(int argc, char **argv);
int systole_main_published(int argc, char **argv);
int systole_main_sweep(int argc, char **argv);
int systole_main_trace(int argc, char **argv);
int systole_main_replay(int argc, char **argv);
int systole_main_doctor(int argc, char **argv);

#endif
