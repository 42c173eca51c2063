/* A device over the OTA part of China Mobile's C client (cm-heclouds/OneNET_AIO_c): report, check, download,
 * 101, 201. Its example compiles for the generic API only, so this is the same order for both.
 *
 * device FILE TYPE VERSION PRODUCT NAME KEY     with CONFIG_TM: STUDIO
 * device FILE TYPE VERSION DEV_ID MANUF MODEL AUTHORIZATION     else: generic
 */
#include "err_def.h"
#include "ota_api.h"

#include <stdio.h>
#include <stdlib.h>

#define PIECE 4096
#define LIMIT_MS 5000

#ifdef CONFIG_TM
#define HANDLE task.tid
#else
#define HANDLE task.token
#endif

static FILE *package;

static int32_t on_event(enum ota_state_t state, uint8_t *data, uint32_t size)
{
    if (OTA_EVT_DOWNLOAD_PACKAGE == state)
        fwrite(data, 1, size, package);
    else
        printf("%.*s\n", (int)size, (char *)data);
    return 0;
}

static void must(const char *call, int32_t code)
{
    if (0 != code)
    {
        printf("%s: %d\n", call, (int)code);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    struct ota_task_info_t task = {0};
    uint8_t **             text = (uint8_t **)argv;
    uint32_t               start;

    package = fopen(argv[1], "wb");
#ifdef CONFIG_TM
    must("init", ota_init(on_event, text[4], text[5], text[6], text[3], atoi(argv[2])));
#else
    must("init", ota_init(on_event, text[7], text[4], text[3], text[5], text[6], atoi(argv[2]), 1));
#endif
    must("version", ota_post_version(LIMIT_MS));
    must("check", ota_check_task(&task, LIMIT_MS));
    for (start = 0; start < task.size; start += PIECE)
    {
        must("token", ota_check_token(HANDLE, LIMIT_MS));
        must("download", ota_download_package(HANDLE, start, PIECE, LIMIT_MS));
    }
    must("101", ota_report_status(HANDLE, OTA_DOWNLOAD_SUCCESS, LIMIT_MS));
    must("201", ota_report_status(HANDLE, OTA_UPGRADE_SUCCESS, LIMIT_MS));
    printf("target %s md5 %s size %u\n", (char *)task.target, (char *)task.md5, (unsigned)task.size);
    ota_deinit();
    return fclose(package);
}
