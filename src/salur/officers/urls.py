"""The addresses of the officers' pages, all under /petugas/. None holds a name or a number of a person."""

from __future__ import annotations

from django.urls import include, path

from salur.officers import ceilings, cycles, decrees, drafts, glass, home, people, reads, reviews, units

app_name = "officers"
pages = [
    path("", home.home, name="home"),
    path("pemberitahuan/<int:notice>/", home.notice, name="notice"),
    path("siklus/", cycles.cycles, name="cycles"),
    path("siklus/buka/", cycles.cycle_open, name="cycle_open"),
    path("siklus/<int:cycle>/", cycles.cycle, name="cycle"),
    path("siklus/<int:cycle>/batal/", cycles.cycle_cancel, name="cycle_cancel"),
    path("siklus/<int:cycle>/tutup/", cycles.cycle_close, name="cycle_close"),
    path("siklus/<int:cycle>/antrean/", reviews.queue, name="queue"),
    path("siklus/<int:cycle>/antrean/berikut/", reviews.review_next, name="review_next"),
    path("siklus/<int:cycle>/sk/", decrees.decree, name="decree"),
    path("siklus/<int:cycle>/sk/tanda-tangan/", decrees.decree_sign, name="decree_sign"),
    path("siklus/<int:cycle>/sk/<slug:kind>/", decrees.decree_file, name="decree_file"),
    path("putusan/<int:decision>/", reviews.review, name="review"),
    path("putusan/<int:decision>/perbaiki/", reviews.correct, name="correct"),
    path("putusan/<int:decision>/andai/", reviews.what_if, name="what_if"),
    path("putusan/<int:decision>/riwayat/", units.unit, name="unit"),
    path("putusan/<int:decision>/sanggah/", units.objection, name="objection"),
    path("putusan/<int:decision>/lanjutkan/<int:standing>/", units.standing_lift, name="standing_lift"),
    path("koreksi/", reviews.corrections, name="corrections"),
    path("koreksi/<int:correction>/", reviews.correction, name="correction"),
    path("warga/", people.people, name="people"),
    path("warga/cari/", people.people_search, name="people_search"),
    path("warga/belum-terdata/", people.unregistered, name="unregistered"),
    path("warga/<int:person>/", people.person, name="person"),
    path("perkara/", home.cases, name="cases"),
    path("perkara/<int:case>/", home.case, name="case"),
    path("perkara/<int:case>/cetak/", home.case_print, name="case_print"),
    path("aturan/", home.rulebooks, name="rulebooks"),
    path("aturan/rancangan/", drafts.drafts_list, name="drafts"),
    path("aturan/rancangan/<int:draft>/", drafts.draft, name="draft"),
    path("aturan/rancangan/<int:draft>/banding/", drafts.draft_compare, name="draft_compare"),
    path("aturan/rancangan/<int:draft>/banding.csv", drafts.draft_figures, name="draft_figures"),
    path("aturan/rancangan/<int:draft>/ajukan/", drafts.draft_submit, name="draft_submit"),
    path("aturan/program/<slug:programme>/", drafts.rulebook_history, name="rulebook_history"),
    path("pagu/", ceilings.ceilings, name="ceilings"),
    path("pagu/tetapkan/", ceilings.ceiling_set, name="ceiling_set"),
    path("pagu/<int:ceiling>/", ceilings.ceiling, name="ceiling"),
    path("darurat/", glass.glass, name="glass"),
    path("darurat/<int:glass>/", glass.glass_review, name="glass_review"),
    path("jejak/", reads.reads, name="reads"),
    path("jejak/wilayah/", reads.reads_in, name="reads_in"),
]
urlpatterns = [path("petugas/", include(pages))]
