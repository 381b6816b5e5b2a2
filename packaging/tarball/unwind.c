/* What glibc's libgcc_eh asks of the C library and musl does not have: finding the unwind table of an address. The array keeps weak
 * references to threads from resolving to nothing. */
#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>

struct dl_find_object {
    unsigned long long flags;
    void *start, *end, *link_map, *eh_frame;
    unsigned long long reserved[7];
};

struct query {
    char *pc;
    struct dl_find_object *found;
};

static int visit(struct dl_phdr_info *info, size_t size, void *data)
{
    struct query *query = data;
    int inside = 0;
    void *eh_frame = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = info->dlpi_phdr + i;
        char *start = (char *)info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && query->pc >= start && query->pc < start + header->p_memsz) {
            inside = 1;
            query->found->start = start;
            query->found->end = start + header->p_memsz;
        }
        if (header->p_type == PT_GNU_EH_FRAME)
            eh_frame = start;
    }
    if (!inside || !eh_frame)
        return 0;
    query->found->flags = 0;
    query->found->link_map = 0;
    query->found->eh_frame = eh_frame;
    return 1;
}

int _dl_find_object(void *pc, struct dl_find_object *found)
{
    struct query query = { pc, found };
    return dl_iterate_phdr(visit, &query) ? 0 : -1;
}

void *keep_thread_functions[] = { pthread_once, pthread_mutex_lock, pthread_mutex_unlock, pthread_key_create, pthread_getspecific, pthread_setspecific };

/* What the agent's heap counts bits with; gcc takes it from libgcc, which is not linked. */
int __popcountdi2(long long bits)
{
    unsigned long long left = (unsigned long long)bits;
    int count = 0;
    for (; left; left &= left - 1)
        count++;
    return count;
}
