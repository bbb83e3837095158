#include "agent/jsonput.h"
#include "agent/markjson.h"

static json_t *
points(const struct box *b)
{
	return json_pack("[f, f, f, f]", b->x0 / 1000.0, b->y0 / 1000.0, b->x1 / 1000.0, b->y1 / 1000.0);
}

json_t *
mark_json(const struct seal_marks *m)
{
	json_t *list = json_array(), *most = json_array();

	for (uint32_t i = 0; i < m->pages.pages; i++)
		if (page_set_has(&m->pages, i) && seal_marks_box(m, i) == &m->box)
			json_add(&most, json_integer((json_int_t)i + 1));
	if (most == NULL || json_array_size(most) > 0)
		json_add(&list, json_pack("{s:o, s:o}", "pages", most, "box_pt", points(&m->box)));
	else
		json_decref(most);
	for (uint32_t i = 0; i < m->nown; i++)
		json_add(&list, json_pack("{s:[I], s:o}", "pages", (json_int_t)m->own[i].page + 1, "box_pt", points(&m->own[i].box)));
	return list;
}
