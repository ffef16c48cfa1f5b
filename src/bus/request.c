#include "bus/request.h"

#include <stdlib.h>

#include "core/mem.h"

#define QUOTE_BYTES 300

struct request *requests_add(struct requests *list, char *data, size_t len, bus_done *done, void *context)
{
    struct request *request = xcalloc(1, sizeof *request);

    request->data = data;
    request->len = len;
    request->done = done;
    request->context = context;
    if (list->last)
        list->last->next = request;
    else
        list->first = request;
    list->last = request;
    return request;
}

struct request *requests_unsent(const struct requests *list)
{
    struct request *request = list->first;

    while (request && !request->data)
        request = request->next;
    return request;
}

void request_sent(struct request *request)
{
    if (request->data)
        wipe(request->data, request->len);
    free(request->data);
    request->data = NULL;
}

static void free_request(struct request *request)
{
    request_sent(request);
    free(request->name);
    free(request);
}

static bool tell(struct requests *list, struct request *request, const struct error *error)
{
    bus_done *done = request->done;
    void *context = request->context;
    bool gone = false, *outer = list->gone;

    free_request(request);
    if (!done)
        return true;
    list->gone = &gone;
    done(context, error);
    if (gone && outer)
        *outer = true;
    if (!gone)
        list->gone = outer;
    return !gone;
}

static void take_out(struct requests *list, struct request *request)
{
    struct request **at = &list->first, *before = NULL;

    while (*at != request) {
        before = *at;
        at = &before->next;
    }
    *at = request->next;
    if (list->last == request)
        list->last = before;
}

bool requests_settle(struct requests *list, struct request *request, const struct error *error)
{
    take_out(list, request);
    return tell(list, request, error);
}

void requests_withdraw(struct requests *list, struct request *request)
{
    take_out(list, request);
    free_request(request);
}

bool requests_fail(struct requests *list, const struct error *error)
{
    struct request **end = &list->settling;

    /* Apart: those that `done` asks for now are not meant. It may have run the loop, and be here again. */
    while (*end)
        end = &(*end)->next;
    *end = list->first;
    list->first = list->last = NULL;
    while (list->settling) {
        struct request *request = list->settling;

        list->settling = request->next;
        if (!tell(list, request, error))
            return false;
    }
    return true;
}

static void free_all(struct request *request)
{
    while (request) {
        struct request *next = request->next;

        free_request(request);
        request = next;
    }
}

void requests_dispose(struct requests *list)
{
    free_all(list->first);
    free_all(list->settling);
    if (list->gone)
        *list->gone = true;
    *list = (struct requests){0};
}

void bus_quote(const char *text, size_t len, char out[304])
{
    size_t i;

    if (len > QUOTE_BYTES)
        len = QUOTE_BYTES;
    /* the log takes care of the rest of the bytes; a line break would make it two */
    for (i = 0; i < len; i++)
        out[i] = (unsigned char)text[i] < ' ' || text[i] == 0x7f ? ' ' : text[i];
    out[len] = '\0';
}
