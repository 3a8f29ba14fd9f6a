//! Messages and files as callers see them: with links that open.

use parlance_model::id::OrgId;
use parlance_model::media::{Media, Variant};
use parlance_model::message::{Attachment, Message};

use super::links::{Links, Target, shown_until_ms};

/// A message with links to its files. What the API answers is made of this and not of the bare message.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The message.
    pub message: Message,
    /// Its files, in the order of its attachments.
    pub files: Vec<ShownFile>,
}

/// A file of a message, with links.
#[derive(Debug, Clone)]
pub struct ShownFile {
    /// What is known of it.
    pub attachment: Attachment,
    /// Where it can be fetched; `None` while it is still at the provider.
    pub url: Option<String>,
    /// Where a small image of it can be fetched.
    pub thumbnail_url: Option<String>,
}

/// A file with links.
#[derive(Debug, Clone)]
pub struct ShownMedia {
    /// The file.
    pub media: Media,
    /// Where it can be fetched.
    pub url: String,
    /// Where a small image of it can be fetched.
    pub thumbnail_url: Option<String>,
    /// When the links end, unix ms.
    pub links_end_ms: i64,
}

impl Links {
    /// A message with fresh links.
    pub(crate) fn show(&self, org: OrgId, message: Message, now_ms: i64) -> Shown {
        let files = message.attachments.iter().map(|attachment| self.show_file(org, attachment, now_ms)).collect();
        Shown { message, files }
    }

    fn show_file(&self, org: OrgId, attachment: &Attachment, now_ms: i64) -> ShownFile {
        let (url, thumbnail_url) = match attachment {
            Attachment::Stored { media_id, has_thumbnail, .. } => {
                let link = |variant| self.shown(Target { org, media: *media_id, variant }, now_ms);
                (Some(link(Variant::File)), has_thumbnail.then(|| link(Variant::Thumbnail)))
            }
            Attachment::Linked { url } => (Some(url.clone()), None),
            Attachment::Remote { .. } => (None, None),
        };
        ShownFile { attachment: attachment.clone(), url, thumbnail_url }
    }

    /// A file with fresh links.
    pub(crate) fn show_media(&self, org: OrgId, media: Media, now_ms: i64) -> ShownMedia {
        let link = |variant| self.shown(Target { org, media: media.id, variant }, now_ms);
        let (url, thumbnail_url) = (link(Variant::File), media.thumbnail_key.as_ref().map(|_| link(Variant::Thumbnail)));
        ShownMedia { url, thumbnail_url, links_end_ms: shown_until_ms(now_ms), media }
    }

    /// Where a provider fetches a file that is being sent. `None` for one that came in.
    pub(crate) fn for_provider(&self, org: OrgId, attachment: &Attachment, now_ms: i64) -> Option<String> {
        match attachment {
            Attachment::Stored { media_id, .. } => Some(self.sent(Target { org, media: *media_id, variant: Variant::File }, now_ms)),
            Attachment::Linked { url } => Some(url.clone()),
            Attachment::Remote { .. } => None,
        }
    }
}
